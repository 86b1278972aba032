// Finds all merges that may ever happen in a short word: by a chart of its parts [i, j), short ones first, with the
// token that merging may make of each. A part of more than two symbols is looked for in a table that fits no near
// cache, so the charts of several words are filled side by side: all ask, then all find. Where any two tokens merge
// that spell one, a short part is looked for by its bytes, and all may be asked for at once; else by the pairs of
// tokens in it.
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
    struct Merge {
        std::uint8_t first, end;
        std::uint16_t cuts;  // a bit each
    };

    // Parts of one symbol and two; the symbols, the ranks of neighbours, and the bytes where each symbol is one. Asks
    // for what does not depend on other parts.
    void begin(const MergeRelation& merges, const std::vector<TokenId>& symbols,
               const std::vector<std::uint32_t>& ranks, const std::vector<std::uint8_t>& bytes);
    // Parts of `size` symbols, 3 to n_symbols(): has brought near what `find` will look for, and no one has asked for.
    void ask(const MergeRelation& merges, std::size_t size) const;
    void find(const MergeRelation& merges, std::size_t size);

    // 0: the word is too long, or has too many merges or none.
    std::size_t n_symbols() const { return n_symbols_; }
    std::size_t n_merges() const { return n_merges_; }
    const Merge* merges() const { return merges_; }
    // Writes the indexes of merges as merging prefers them.
    void sort(std::uint8_t sorted[kMaxMerges]) const;
    const TokenId* tokens() const { return tokens_; }

   private:
    TokenId& token(std::size_t i, std::size_t j) { return tokens_[cell(i, j)]; }
    bool are_tokens(std::size_t i, std::size_t k, std::size_t j) const {
        return tokens_[cell(i, k)] != kNoToken && tokens_[cell(k, j)] != kNoToken;
    }
    bool is_by_bytes(const MergeRelation& merges, std::size_t size) const {
        return size <= ShortTokens::kMaxBytes && merges.ranks_tokens();
    }
    bool add(std::uint32_t rank, std::size_t i, std::size_t k, std::size_t j);

    TokenId tokens_[kMaxCells];  // kNoToken: none
    std::uint8_t bytes_[kMaxSymbols + ShortTokens::kMaxBytes] = {};
    std::uint32_t orders_[kMaxMerges];  // of merges: rank, then where they begin
    Merge merges_[kMaxMerges];
    std::size_t n_symbols_ = 0, n_merges_ = 0;
};

}  // namespace fissile
