// Finds all merges that may ever happen in a short word: by a chart of its parts [i, j), short ones first, with the
// token that merging may make of each. A part of more than two symbols asks for pairs of tokens in a table that fits no
// near cache, so the charts of several words are filled side by side: all ask, then all find.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "stochastic/merge_relation.hpp"

namespace fissile {

class WordChart {
   public:
    static constexpr std::size_t kMaxSymbols = 16, kMaxMerges = 64;
    static constexpr std::size_t kMaxCells = kMaxSymbols * (kMaxSymbols + 1) / 2;

    // Where the token of [i, j) stands.
    static constexpr std::size_t cell(std::size_t i, std::size_t j) { return j * (j - 1) / 2 + i; }

    // The merges of one rank that make one token at one place: they differ in the cut alone, and no two of them are
    // possible at once.
    struct Group {
        std::uint8_t first, end, first_cut, n_cuts;  // cuts from `first_cut` on in cuts()
    };

    // Parts of one symbol and two; the symbols, and the ranks of neighbours.
    void begin(const MergeRelation& merges, const std::vector<TokenId>& symbols,
               const std::vector<std::uint32_t>& ranks);
    // Parts of `size` symbols, 3 to n_symbols(): has the pairs brought near that `find` will look for.
    void ask(const MergeRelation& merges, std::size_t size) const;
    void find(const MergeRelation& merges, std::size_t size);

    // 0: the word is too long, or has too many merges or none.
    std::size_t n_symbols() const { return n_symbols_; }
    std::size_t n_merges() const { return n_cuts_; }
    const TokenId* tokens() const { return tokens_; }
    const std::uint8_t* cuts() const { return cuts_; }
    // Writes the groups as merging prefers them; returns how many.
    std::size_t sort(Group groups[kMaxMerges]) const;

   private:
    TokenId& token(std::size_t i, std::size_t j) { return tokens_[cell(i, j)]; }
    bool are_tokens(std::size_t i, std::size_t k, std::size_t j) const {
        return tokens_[cell(i, k)] != kNoToken && tokens_[cell(k, j)] != kNoToken;
    }
    bool add(std::uint32_t rank, std::size_t i, std::size_t k, std::size_t j);

    TokenId tokens_[kMaxCells];         // kNoToken: none
    std::uint32_t orders_[kMaxMerges];  // of groups: rank, then where they begin
    Group groups_[kMaxMerges];
    std::uint8_t cuts_[kMaxMerges];
    std::size_t n_symbols_ = 0, n_groups_ = 0, n_cuts_ = 0;
};

}  // namespace fissile
