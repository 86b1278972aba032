// Vector code makes the blocks of the definition, wherever in a stream, also where the counter's first word is large.
#include <random>
#include <vector>

#include "check.hpp"
#include "stochastic/philox.hpp"

using namespace fissile;

int main() {
    std::mt19937 random(5);
    const auto word = [&] { return static_cast<std::uint32_t>(random()); };
    for (const Isa isa : available_isas()) {
        const PhiloxKernel kernel = philox_kernel_for(isa);
        for (std::size_t n_blocks = kPhiloxLanes; n_blocks <= 8 * kPhiloxLanes; n_blocks += kPhiloxLanes) {
            const auto last = static_cast<std::uint32_t>(0u - n_blocks);
            for (const std::uint32_t first : {0u, 64u, word() & 0x7fffffffu, 0x7ffffffcu, last}) {
                const PhiloxBlock counter{first, word(), word(), word()};
                const std::uint32_t key0 = word(), key1 = word();
                std::vector<std::uint32_t> words(4 * n_blocks + 1, 7);
                kernel(counter, key0, key1, words.data(), n_blocks);
                for (std::uint32_t i = 0; i < n_blocks; ++i) {
                    const PhiloxBlock block =
                        philox4x32_10({first + i, counter[1], counter[2], counter[3]}, key0, key1);
                    for (std::size_t k = 0; k < 4; ++k) CHECK_EQUAL(words[4 * i + k], block[k]);
                }
                CHECK_EQUAL(words.back(), 7u);
            }
        }
    }
    return check::result();
}
