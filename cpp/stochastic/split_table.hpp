// The ways to halve each token: all pairs (left, right) of tokens whose bytes together are the token's.
//
// Tokens of the model only: special and added tokens are neither split nor made, and byte-fallback tokens are not used
// where a character has a token. In the order of the place of the cut. Sims et al., "StochasTok" (2025), section 3;
// there the table is built by searching lists, which takes minutes.
//
// Tokens are asked for at random. Next to nothing can be done before a token's number of pairs is known, so that is a
// byte. The pairs lie in half a cache line: up to six of ids below 2^20, which 995 of 1,000 tokens of text are content
// with. The rest lies elsewhere.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "base.hpp"
#include "cpu/prefetch.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class SplitTable {
   public:
    struct Pair {
        TokenId left, right;
    };

    explicit SplitTable(const Vocabulary& vocabulary);

    std::size_t n_vocab() const { return n_pairs_.size(); }

    // Numbers of pairs, one an id; kMany where a byte does not tell.
    static constexpr std::uint8_t kMany = 255;
    const std::vector<std::uint8_t>& few_pairs() const { return n_pairs_; }

    std::uint32_t n_pairs(TokenId id) const noexcept { return n_pairs_[id] != kMany ? n_pairs_[id] : many(id).n; }
    // The i-th pair of a token; i is below n_pairs.
    Pair pair(TokenId id, std::uint32_t i) const noexcept {
        return n_pairs_[id] == kMany ? others_[many(id).first + i] : few_pair(id, i);
    }
    // The same of a token that has not kMany; of one without pairs the 0-th can be read, and means nothing.
    Pair few_pair(TokenId id, std::uint32_t i) const noexcept {
        std::uint64_t bits;  // some of them the next entry's
        std::memcpy(&bits, reinterpret_cast<const std::uint8_t*>(entries_.data() + id) + kPairBytes * i, sizeof bits);
        return {static_cast<TokenId>(bits) & (kIdLimit - 1), static_cast<TokenId>(bits >> kIdBits) & (kIdLimit - 1)};
    }
    FISSILE_PREFETCHES void ask(TokenId id) const noexcept { prefetch(entries_.data() + id); }

   private:
    static constexpr unsigned kIdBits = 20;
    static constexpr TokenId kIdLimit = TokenId{1} << kIdBits;
    static constexpr std::size_t kPairs = 6, kPairBytes = 5;
    static_assert(2 * kIdBits == 8 * kPairBytes);

    struct alignas(32) Entry {
        std::uint8_t bytes[32];  // pairs, or a Range
    };
    static_assert(kPairs * kPairBytes <= sizeof(Entry));
    struct Range {
        std::uint32_t first, n;
    };
    Range many(TokenId id) const noexcept {
        Range range;
        std::memcpy(&range, entries_[id].bytes, sizeof range);
        return range;
    }
    void set(TokenId id, const std::vector<Pair>& pairs);

    std::vector<std::uint8_t> n_pairs_;
    std::vector<Entry> entries_;  // one an id, and one more to read beyond
    std::vector<Pair> others_;
};

}  // namespace fissile
