// Which pairs of tokens merge, and in which order.
//
// "Listed" are the merges of the vocabulary itself; of a rank file, the one pair a token that canonical merging uses.
// "Any" is every pair that spells a token: what rank files mean, and what converters of them write out. Canonical ids
// are the same; with merges left out at random, "any" leaves many more ways back to long tokens.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "stochastic/short_tokens.hpp"
#include "stochastic/split_table.hpp"
#include "vocab/pair_ranks.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class MergeRelation {
   public:
    static std::shared_ptr<const MergeRelation> listed(std::shared_ptr<const Vocabulary> vocabulary);
    // A pair that is not listed merges when the best listed pair of the same token does; in a rank file that is the
    // token's rank, also for tokens that canonical merging never makes.
    static std::shared_ptr<const MergeRelation> any(std::shared_ptr<const Vocabulary> vocabulary,
                                                    const SplitTable& table);

    // Rank of the merge of two tokens, or kNoRank.
    std::uint32_t find(TokenId left, TokenId right) const noexcept { return pairs_->find(left, right); }
    // Whether any two tokens that spell a token merge, and the rank is its id: then bytes tell about merges.
    bool ranks_tokens() const noexcept { return short_tokens_ != nullptr; }
    // With ranks_tokens(): all tokens of its lengths that two others spell.
    const ShortTokens& short_tokens() const noexcept { return *short_tokens_; }
    // Has what `find` will read brought near.
    FISSILE_PREFETCHES void ask(TokenId left, TokenId right) const noexcept { pairs_->ask(left, right); }
    // The same as `find` for the symbols of two bytes, of a vocabulary of bytes.
    std::uint32_t find_bytes(std::uint8_t left, std::uint8_t right) const noexcept {
        return byte_pairs_[std::size_t{left} << 8 | right];
    }
    // The token that the merge of a rank makes.
    TokenId result(std::uint32_t rank) const noexcept {
        return ranks_tokens() ? TokenId{rank} : vocabulary_->results()[rank];
    }

    // Ranks are below this.
    std::size_t n_ranks() const noexcept { return std::max(vocabulary_->n_vocab(), vocabulary_->n_merges()); }
    // How many merges make a token from its symbols; of one that merging never makes, how many its symbols allow.
    std::uint32_t n_merges(TokenId id) const noexcept {
        // Asked for every token of a text: a byte each, so that more of them are near.
        return few_merges_[id] != kManyMerges ? few_merges_[id] : n_merges_[id];
    }

    const Vocabulary& vocabulary() const { return *vocabulary_; }

   private:
    explicit MergeRelation(std::shared_ptr<const Vocabulary> vocabulary) : vocabulary_(std::move(vocabulary)) {}
    void finish();
    void count_merges();
    static std::shared_ptr<const ShortTokens> short_tokens(const Vocabulary& vocabulary, const SplitTable& table);

    std::shared_ptr<const Vocabulary> vocabulary_;
    std::shared_ptr<const PairRanks> own_pairs_;
    const PairRanks* pairs_ = nullptr;
    std::shared_ptr<const ShortTokens> short_tokens_;
    static constexpr std::uint8_t kManyMerges = 255;

    std::vector<std::uint32_t> n_merges_;
    std::vector<std::uint8_t> few_merges_;   // kManyMerges: n_merges_ has the number
    std::vector<std::uint32_t> byte_pairs_;  // 65,536 for the bytes alphabet
};

}  // namespace fissile
