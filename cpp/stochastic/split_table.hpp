// The ways to halve each token: all pairs (left, right) of tokens whose bytes together are the token's.
//
// Tokens of the model only: special and added tokens are neither split nor made, and byte-fallback tokens are not used
// where a character has a token. Kept as CSR, ordered by the place of the cut. Sims et al., "StochasTok" (2025),
// section 3; there the table is built by searching lists, which takes minutes.
#pragma once

#include <cstdint>
#include <vector>

#include "base.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class SplitTable {
   public:
    struct Pair {
        TokenId left, right;
    };
    // Where a token's pairs lie, in one word: a try reads this and one pair.
    struct Range {
        std::uint32_t first, n;
    };

    explicit SplitTable(const Vocabulary& vocabulary);

    std::size_t n_vocab() const { return ranges_.size(); }
    const std::vector<Range>& ranges() const { return ranges_; }
    // Of all tokens in order of id, and one more that is none.
    const std::vector<Pair>& pairs() const { return pairs_; }

   private:
    std::vector<Range> ranges_;  // one an id
    std::vector<Pair> pairs_;
};

}  // namespace fissile
