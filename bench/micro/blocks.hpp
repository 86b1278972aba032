// The first steps of a scanner alone, for the ISAs that have them as masks of 64 bytes.
#pragma once

#include "base.hpp"
#include "cpu/isa.hpp"

namespace micro {

struct Blocks {
    // Number of ASCII letters: one class, the least that a scanner must look at.
    std::uint64_t (*letters)(fissile::Bytes text);
    // All classes of cl100k; what they hold, folded.
    std::uint64_t (*classes)(fissile::Bytes text);
};

// nullptr where the ISA has no such masks.
const Blocks* blocks_for(fissile::Isa isa);

extern const Blocks kBlocksSse2, kBlocksAvx2, kBlocksAvx512, kBlocksNeon;

}  // namespace micro
