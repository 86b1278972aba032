// Merging a piece that is too long for a lane: in windows that overlap, side by side, each merged as if it stood alone.
//
// Neighbouring tokens that encoding gives for some bytes are what encoding gives for the bytes of the two, and a
// sequence of tokens each of whose neighbouring pairs is so is the encoding of all its bytes (merge_backtrack.hpp).
// So where two windows have one token in common, what the first has up to it and what the second has from it on is the
// encoding of both. Texts of long tokens, such as rows of spaces, have none: then the windows say so, and are of no
// use. Needs every byte to be a token and merges_are_ordered().
#pragma once

#include <cstddef>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "merge/merge_short.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

inline constexpr std::size_t kWindowLanes = 16;

// Appends the canonical encoding of a piece to ids, or nothing; whether it did. `lanes` are kWindowLanes, for scratch.
bool merge_windows(const Vocabulary& vocabulary, const MergeKernels& kernels, Bytes piece, MergeLane<64>* lanes,
                   std::vector<TokenId>& ids, Interrupt* interrupt = nullptr);

}  // namespace fissile
