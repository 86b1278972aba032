#include "stochastic/merge_relation.hpp"

#include <algorithm>

#include "merge/merge_tree.hpp"
#include "stochastic/token_symbols.hpp"

namespace fissile {

void MergeRelation::count_merges() {
    const Vocabulary& v = *vocabulary_;
    n_merges_.assign(v.n_vocab(), 0);
    std::vector<TokenId> symbols;
    MergeTreeScratch tree;
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        if (!v.is_model(id)) continue;
        symbols.clear();
        append_symbols(v, id, symbols);
        const std::size_t n_symbols = symbols.size();
        std::size_t n_left = 1;
        if (!v.is_reachable(id)) {
            merge_tree(*pairs_, v.results(), symbols, tree, 1, v.tied_orders());
            n_left = symbols.size();
        }
        n_merges_[id] = static_cast<std::uint32_t>(n_symbols - n_left);
    }
    for (const std::uint32_t n : n_merges_) {
        few_merges_.push_back(static_cast<std::uint8_t>(std::min<std::uint32_t>(n, kManyMerges)));
    }
}

void MergeRelation::finish() {
    count_merges();
    if (vocabulary_->options().alphabet != Alphabet::kBytes) return;
    byte_pairs_.assign(65536, kNoRank);
    for (unsigned pair = 0; pair < 65536; ++pair) {
        const TokenId left = vocabulary_->byte_symbol(static_cast<std::uint8_t>(pair >> 8));
        const TokenId right = vocabulary_->byte_symbol(static_cast<std::uint8_t>(pair & 255));
        if (left != kNoToken && right != kNoToken) byte_pairs_[pair] = find(left, right);
    }
}

std::shared_ptr<const ShortTokens> MergeRelation::short_tokens(const Vocabulary& v, const SplitTable& table) {
    auto tokens = std::make_shared<ShortTokens>(v.n_vocab());
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const Bytes token = v.token_bytes(id);
        const bool has_length = token.size() >= ShortTokens::kMinBytes && token.size() <= ShortTokens::kMaxBytes;
        if (has_length && table.n_pairs(id) != 0) tokens->insert(token, id);
    }
    return tokens;
}

std::shared_ptr<const MergeRelation> MergeRelation::listed(std::shared_ptr<const Vocabulary> vocabulary) {
    MergeRelation relation(std::move(vocabulary));
    relation.pairs_ = &relation.vocabulary_->pairs();
    relation.finish();
    return std::make_shared<const MergeRelation>(std::move(relation));
}

std::shared_ptr<const MergeRelation> MergeRelation::any(std::shared_ptr<const Vocabulary> vocabulary,
                                                        const SplitTable& table) {
    MergeRelation relation(std::move(vocabulary));
    const Vocabulary& v = *relation.vocabulary_;
    std::vector<std::uint32_t> rank_of(v.n_vocab(), kNoRank);
    bool ranks_are_ids = true;
    std::uint32_t max_rank = 0;
    const std::vector<Merge> merges = v.merges();
    for (const Merge& merge : merges) {
        const std::uint32_t rank = v.pairs().find(merge.left, merge.right);
        rank_of[merge.result] = std::min(rank_of[merge.result], rank);
        max_rank = std::max(max_rank, rank);
        ranks_are_ids = ranks_are_ids && rank == merge.result;
    }
    for (TokenId id = 0; ranks_are_ids && id < v.n_vocab(); ++id) rank_of[id] = id;
    std::size_t n_pairs = 0;
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        if (rank_of[id] != kNoRank) n_pairs += table.n_pairs(id);
    }
    // Merges outside the table: those of tokens that are no part of the model.
    for (const Merge& merge : merges) {
        n_pairs += !v.is_model(merge.left) || !v.is_model(merge.right) || !v.is_model(merge.result);
    }
    auto pairs = std::make_shared<PairRanks>(v.n_vocab(), n_pairs, std::max<std::size_t>(max_rank + 1, v.n_vocab()));
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        if (rank_of[id] == kNoRank) continue;
        for (std::uint32_t i = 0; i < table.n_pairs(id); ++i) {
            const SplitTable::Pair pair = table.pair(id, i);
            pairs->insert(pair.left, pair.right, rank_of[id]);
        }
    }
    // What is listed keeps its own rank.
    for (const Merge& merge : merges) {
        pairs->insert(merge.left, merge.right, v.pairs().find(merge.left, merge.right));
    }
    const bool ranks_tokens = ranks_are_ids && v.options().alphabet == Alphabet::kBytes &&
                              std::all_of(merges.begin(), merges.end(), [&](const Merge& merge) {
                                  return v.is_model(merge.left) && v.is_model(merge.right) && v.is_model(merge.result);
                              });
    if (ranks_tokens) relation.short_tokens_ = short_tokens(v, table);
    relation.own_pairs_ = pairs;
    relation.pairs_ = relation.own_pairs_.get();
    relation.finish();
    return std::make_shared<const MergeRelation>(std::move(relation));
}

}  // namespace fissile
