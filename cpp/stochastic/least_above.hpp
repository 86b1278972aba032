// The smallest of some numbers that is above a given one: how a short word finds its next merge, once a merge.
#pragma once

#include <cstdint>

#include "cpu/isa.hpp"

namespace fissile {

// How many numbers are looked at together.
inline constexpr unsigned kLeastLanes = 16;

// Of n numbers, a multiple of kLeastLanes; the largest number there is where none is above `bound`.
using LeastAboveKernel = std::int32_t (*)(const std::int32_t* numbers, unsigned n, std::int32_t bound) noexcept;

// The kernel for one ISA of this machine.
LeastAboveKernel least_above_kernel_for(Isa isa);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const LeastAboveKernel kLeastAboveAvx2, kLeastAboveAvx512;
#endif

}  // namespace fissile
