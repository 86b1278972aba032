// Merging a short word step by step, on bits: see word_merges.hpp for what they mean. The loop is replay_lanes.hpp,
// compiled for each ISA; its definition is dropout_laws.hpp, with which tests compare the ids.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/isa.hpp"

namespace fissile {

// Merges in the order of preference; those of one rank at one place are one, as no two of them are possible at once.
// Merge m may happen where the bits around between[m], which is a row of them, are set, and of those between[m] one
// alone that is among cuts[m]; that is cleared. At most 64; 64 bytes behind each array can be read.
struct PossibleMerges {
    const std::uint16_t* between;
    const std::uint16_t* cuts;
    unsigned n;
};

// A word while it is merged.
struct Replay {
    std::uint16_t begins;           // where its tokens begin; set beyond its end
    std::uint64_t out = 0;          // merges that are out of question: a bit each
    unsigned n_steps = 0;           // merges made
    bool dropped_stay_out = false;  // not only until the next merge
};

// Makes the next `n_survivors` merges and drops the one after them. False: there are no more than n_survivors, the word
// is done.
using ReplayKernel = bool (*)(const PossibleMerges& merges, Replay& replay, std::uint64_t n_survivors) noexcept;

// The kernel for one ISA of this machine.
ReplayKernel replay_kernel_for(Isa isa);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const ReplayKernel kReplayAvx2, kReplayAvx512;
#endif

}  // namespace fissile
