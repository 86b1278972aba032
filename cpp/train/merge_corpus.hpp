// Counted pretokens -> the sequences that a merge loop works on.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "encode/encoder.hpp"
#include "train/merge_sequences.hpp"

namespace fissile {

// A PretokenCounts whose arrays are held elsewhere.
struct CountsView {
    const std::uint8_t* bytes;
    const std::uint64_t* ends;
    const std::uint64_t* counts;
    std::size_t n;

    Bytes operator[](std::size_t i) const {
        const std::uint64_t begin = i == 0 ? 0 : ends[i - 1];
        return {bytes + begin, static_cast<std::size_t>(ends[i] - begin)};
    }
};

// For all, n_of[id] is increased by the occurrences of each token in the corpus, pretokens of one token included.

// Each byte a token, of the id given; Error names a byte that has none (kNoToken).
MergeSequences sequences_of_bytes(const CountsView& pretokens, const std::array<TokenId, 256>& byte_ids,
                                  std::vector<std::uint64_t>& n_of, Interrupt& interrupt);

// Each pretoken as the encoder encodes it by itself.
MergeSequences sequences_of_tokens(const CountsView& pretokens, const Encoder& encoder, unsigned n_threads,
                                   std::vector<std::uint64_t>& n_of, Interrupt& interrupt);

// Sequences of token ids, n of them, laid out as pretokens are, after these merges, one after another, have joined what
// they join; Error names an id that is not below n_of.size().
MergeSequences sequences_of_ids(const TokenId* ids, const std::uint64_t* ends, const std::uint64_t* counts,
                                std::size_t n, const std::vector<Merge>& merges, std::vector<std::uint64_t>& n_of,
                                Interrupt& interrupt);

}  // namespace fissile
