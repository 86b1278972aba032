// Vector code finds the number that the definition does, wherever it stands, also where none is above; and all places
// where a number stands.
#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "stochastic/least_above.hpp"

using namespace fissile;

int main() {
    constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();
    std::mt19937 random(7);
    for (const Isa isa : available_isas()) {
        const LeastAboveKernel kernel = least_above_kernel_for(isa);
        for (int repeat = 0; repeat < 2000; ++repeat) {
            std::vector<std::int32_t> numbers(kLeastLanes * (1 + random() % 4));
            const std::uint32_t range = repeat % 2 == 0 ? 20u : 0x7fffffffu;
            for (std::int32_t& number : numbers) {
                number = random() % 3 == 0 ? kNone : static_cast<std::int32_t>(random() % range);
            }
            const std::int32_t bound = repeat % 5 == 0 ? -1 : numbers[random() % numbers.size()];
            std::int32_t least = kNone;
            for (const std::int32_t number : numbers) {
                if (number > bound) least = std::min(least, number);
            }
            CHECK_EQUAL(kernel(numbers.data(), static_cast<unsigned>(numbers.size()), bound), least);
        }
        for (int repeat = 0; repeat < 500; ++repeat) {
            std::vector<std::int32_t> numbers(kPlacesLanes * (1 + random() % 3));
            for (std::int32_t& number : numbers) {
                number = random() % 3 == 0 ? kNone : static_cast<std::int32_t>(random() % 10);
            }
            const std::int32_t wanted = numbers[random() % numbers.size()];
            std::vector<std::uint64_t> places(numbers.size() / kPlacesLanes, random());
            places_kernel_for(isa)(numbers.data(), static_cast<unsigned>(numbers.size()), wanted, places.data());
            for (std::size_t i = 0; i < numbers.size(); ++i) {
                CHECK_EQUAL((places[i / kPlacesLanes] >> i % kPlacesLanes & 1) == 1, numbers[i] == wanted);
            }
        }
    }
    return check::result();
}
