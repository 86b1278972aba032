// The smallest of some numbers that is above a given one, and where it stands: how a word finds its next merges.
#pragma once

#include <cstdint>

#include "cpu/isa.hpp"

namespace fissile {

// How many numbers are looked at together.
inline constexpr unsigned kLeastLanes = 16;

// Of n numbers, a multiple of kLeastLanes; the largest number there is where none is above `bound`.
using LeastAboveKernel = std::int32_t (*)(const std::int32_t* numbers, unsigned n, std::int32_t bound) noexcept;

// How many numbers' places are looked at together.
inline constexpr unsigned kPlacesLanes = 64;

// Writes a bit for each of n numbers, a multiple of kPlacesLanes, that is `number`.
using PlacesKernel = void (*)(const std::int32_t* numbers, unsigned n, std::int32_t number,
                              std::uint64_t* places) noexcept;

// The kernels for one ISA of this machine.
LeastAboveKernel least_above_kernel_for(Isa isa);
PlacesKernel places_kernel_for(Isa isa);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const LeastAboveKernel kLeastAboveAvx2, kLeastAboveAvx512;
extern const PlacesKernel kPlacesAvx2, kPlacesAvx512;
#endif

}  // namespace fissile
