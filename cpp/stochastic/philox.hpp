// Philox4x32-10, a counter-based generator: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3"
// (SC 2011), with the constants of Random123.
//
// A block of four words depends on its counter and key alone, so vector code makes several blocks side by side. The
// loop over rounds is philox_lanes.hpp; the definition is philox4x32_10 here, and tests/reference/stochastic.py.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "cpu/isa.hpp"

namespace fissile {

using PhiloxBlock = std::array<std::uint32_t, 4>;

inline PhiloxBlock philox4x32_10(PhiloxBlock c, std::uint32_t key0, std::uint32_t key1) noexcept {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{0xd2511f53u} * c[0];
        const std::uint64_t product1 = std::uint64_t{0xcd9e8d57u} * c[2];
        c = {static_cast<std::uint32_t>(product1 >> 32) ^ c[1] ^ key0, static_cast<std::uint32_t>(product1),
             static_cast<std::uint32_t>(product0 >> 32) ^ c[3] ^ key1, static_cast<std::uint32_t>(product0)};
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
    return c;
}

// Blocks are made by so many at once.
inline constexpr std::size_t kPhiloxLanes = 8;

// Writes the blocks of `counter` and of the n_blocks - 1 after it, which differ in their first word alone. n_blocks is
// a multiple of kPhiloxLanes.
using PhiloxKernel = void (*)(const PhiloxBlock& counter, std::uint32_t key0, std::uint32_t key1, std::uint32_t* words,
                              std::size_t n_blocks) noexcept;

// The kernel for one ISA of this machine.
PhiloxKernel philox_kernel_for(Isa isa);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const PhiloxKernel kPhiloxAvx2, kPhiloxAvx512;
#endif

}  // namespace fissile
