#include "stochastic/philox.hpp"

#include <algorithm>

namespace fissile {

namespace {

void philox_plain(const PhiloxBlock& counter, std::uint32_t key0, std::uint32_t key1, std::uint32_t* words,
                  std::size_t n_blocks) noexcept {
    for (std::size_t i = 0; i < n_blocks; ++i) {
        const PhiloxBlock block =
            philox4x32_10({counter[0] + static_cast<std::uint32_t>(i), counter[1], counter[2], counter[3]}, key0, key1);
        std::copy(block.begin(), block.end(), words + 4 * i);
    }
}

}  // namespace

PhiloxKernel philox_kernel_for(Isa isa) {
    switch (isa) {
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
        case Isa::kAvx2:
            return kPhiloxAvx2;
        case Isa::kAvx512:
            return kPhiloxAvx512;
#endif
        default:
            return philox_plain;
    }
}

}  // namespace fissile
