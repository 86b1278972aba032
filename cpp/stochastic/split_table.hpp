// The ways to halve each token: all pairs (left, right) of tokens whose bytes together are the token's.
//
// Tokens of the model only: special and added tokens are neither split nor made, and byte-fallback tokens are not used
// where a character has a token. In the order of the place of the cut. Sims et al., "StochasTok" (2025), section 3;
// there the table is built by searching lists, which takes minutes.
//
// Tokens are asked for at random. Next to nothing can be done before a token's number of pairs is known, so that is a
// byte. The pairs of all tokens lie one behind the other, of ids below 2^20 in five bytes each, so that as many tokens
// as can be are in a near cache. Where those of every eighth token begin is kept; how far behind that a token's are,
// the bytes of the tokens between tell, which come with its own.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
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

    std::size_t n_vocab() const { return n_vocab_; }

    // Numbers of pairs, one an id; kMany where a byte does not tell, and for the id behind the last one.
    static constexpr std::uint8_t kMany = 255;
    const std::vector<std::uint8_t>& few_pairs() const { return few_pairs_; }

    std::uint32_t n_pairs(TokenId id) const {
        return few_pairs_[id] != kMany ? few_pairs_[id] : static_cast<std::uint32_t>(many_.at(id).size());
    }
    // The i-th pair of a token.
    Pair pair(TokenId id, std::uint32_t i) const {
        return few_pairs_[id] != kMany ? pair_at(place(id, i)) : many_.at(id)[i];
    }

    // The same in two steps, with time for a cache line to come in between, for tokens that have not kMany. Of one
    // without pairs there is a 0-th, which means nothing.
    std::uint32_t place(TokenId id, std::uint32_t i) const noexcept {
        std::uint64_t bytes;
        std::memcpy(&bytes, few_pairs_.data() + id / kTogether * kTogether, sizeof bytes);
        bytes &= (std::uint64_t{1} << 8 * (id % kTogether)) - 1;
        constexpr std::uint64_t kEven = 0x00ff00ff00ff00ff, kOnes = 0x0001000100010001;
        const std::uint64_t sums = (bytes & kEven) + (bytes >> 8 & kEven);
        return first_[id / kTogether] + static_cast<std::uint32_t>(sums * kOnes >> 48) + i;
    }
    FISSILE_PREFETCHES void ask(std::uint32_t place) const noexcept {
        prefetch(pairs_.data() + std::size_t{place} * pair_bytes_);
    }
    Pair pair_at(std::uint32_t place) const noexcept {
        std::uint64_t bits;  // some of them the next pair's
        std::memcpy(&bits, pairs_.data() + std::size_t{place} * pair_bytes_, sizeof bits);
        return {static_cast<TokenId>(bits) & id_mask_, static_cast<TokenId>(bits >> id_bits_) & id_mask_};
    }

   private:
    static constexpr TokenId kTogether = 8;

    void append(const std::vector<Pair>& pairs);

    std::vector<std::uint8_t> few_pairs_;        // and some bytes to read beyond
    std::vector<std::uint32_t> first_;           // place of the first pair of every eighth token
    std::vector<std::uint8_t> pairs_;            // and some bytes to read beyond
    std::map<TokenId, std::vector<Pair>> many_;  // of tokens with kMany, whose places in pairs_ mean nothing
    std::size_t n_vocab_;
    unsigned id_bits_;
    TokenId id_mask_;
    std::size_t pair_bytes_;
};

}  // namespace fissile
