#include "stochastic/least_above.hpp"

#include <algorithm>
#include <limits>

namespace fissile {

namespace {

std::int32_t least_above(const std::int32_t* numbers, unsigned n, std::int32_t bound) noexcept {
    constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();
    std::int32_t least[4] = {kNone, kNone, kNone, kNone};  // of every fourth, so that none waits for its neighbour
    for (unsigned i = 0; i < n; i += 4) {
        for (unsigned lane = 0; lane < 4; ++lane) {
            const std::int32_t number = numbers[i + lane] > bound ? numbers[i + lane] : kNone;
            least[lane] = number < least[lane] ? number : least[lane];
        }
    }
    return std::min(std::min(least[0], least[1]), std::min(least[2], least[3]));
}

void places(const std::int32_t* numbers, unsigned n, std::int32_t number, std::uint64_t* places) noexcept {
    for (unsigned i = 0; i < n; i += kPlacesLanes) {
        std::uint64_t bits = 0;
        for (unsigned lane = 0; lane < kPlacesLanes; ++lane) {
            bits |= std::uint64_t{numbers[i + lane] == number} << lane;
        }
        places[i / kPlacesLanes] = bits;
    }
}

}  // namespace

LeastAboveKernel least_above_kernel_for(Isa isa) {
    switch (isa) {
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
        case Isa::kAvx2:
            return kLeastAboveAvx2;
        case Isa::kAvx512:
            return kLeastAboveAvx512;
#endif
        default:
            return least_above;
    }
}

PlacesKernel places_kernel_for(Isa isa) {
    switch (isa) {
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
        case Isa::kAvx2:
            return kPlacesAvx2;
        case Isa::kAvx512:
            return kPlacesAvx512;
#endif
        default:
            return places;
    }
}

}  // namespace fissile
