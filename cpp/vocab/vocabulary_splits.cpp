// VocabularyBuilder: which pair each token merges from, and with ranks or scores which pairs there are.
#include <algorithm>
#include <numeric>

#include "text/utf8.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

// symbols_: the token's, of its own bytes. False if there are fewer than two, or some are not in the vocabulary.
bool VocabularyBuilder::find_symbols(TokenId id) {
    const Vocabulary& v = *v_;
    const Bytes token = v.token_bytes(id);
    symbols_.clear();
    if (v.options_.alphabet == Alphabet::kBytes) {
        for (const std::uint8_t byte : token) symbols_.push_back(v.byte_symbols_[byte]);
    } else {
        for (std::size_t i = 0; i < token.size();) {
            const Char c = decode_char(token.data() + i, token.size() - i);
            symbols_.push_back(c.code_point == kInvalid ? kNoToken : v.char_symbol(c.code_point));
            i += c.n_bytes;
        }
    }
    return symbols_.size() >= 2 && std::find(symbols_.begin(), symbols_.end(), kNoToken) == symbols_.end();
}

template <unsigned kWidth>
void VocabularyBuilder::fill_lane(MergeLane<kWidth>& lane) const {
    const PairRanks& pairs = v_->pairs_;
    for (std::size_t i = 0; i + 1 < symbols_.size(); ++i) pairs.ask(symbols_[i], symbols_[i + 1]);
    lane.begin(symbols_.size());
    for (std::size_t i = 0; i < symbols_.size(); ++i) lane.set_symbol(i, symbols_[i]);
    for (std::size_t i = 0; i + 1 < symbols_.size(); ++i) lane.set_rank(i, pairs.find(symbols_[i], symbols_[i + 1]));
}

// symbols_: what the lane has left; or, if it merged all into one, the two that its last merge joined.
template <unsigned kWidth>
void VocabularyBuilder::take_symbols(const MergeLane<kWidth>& lane) {
    symbols_.resize(MergeLane<kWidth>::kMaxSymbols);
    symbols_.resize(lane.copy_ids(symbols_.data()));
    if (symbols_.size() == 1) symbols_ = {lane.left, lane.right};
}

// Merges symbols_, at least two, until nothing is left to merge, but for the merge that would leave one.
void VocabularyBuilder::merge_symbols() {
    const Vocabulary& v = *v_;
    if (symbols_.size() == 2) return;
    if (v.tied_orders() != nullptr || symbols_.size() > MergeLane<64>::kMaxSymbols) {
        merge_tree(v.pairs_, v.results(), symbols_, tree_, 2, v.tied_orders());
        return;
    }
    fill_lane(wide_);
    kernels_.many(v.pairs_, v.results(), &wide_, 1);
    take_symbols(wide_);
}

// Merges the tokens of a block that fit a lane, together.
void VocabularyBuilder::merge_narrow(TokenId begin, TokenId end) {
    const Vocabulary& v = *v_;
    for (TokenId id = begin; id < end; ++id) {
        const bool fits = v.tied_orders() == nullptr && v.kinds_[id] == Vocabulary::Kind::kModel && find_symbols(id) &&
                          symbols_.size() <= MergeLane<16>::kMaxSymbols;
        in_lane_[id - begin] = fits;
        if (fits) {
            fill_lane(lanes_[id - begin]);
        } else {
            lanes_[id - begin].begin(0);
        }
    }
    kernels_.many(v.pairs_, v.results(), lanes_.data(), end - begin);
}

void VocabularyBuilder::note_split(TokenId id, TokenId left, TokenId right) {
    Vocabulary& v = *v_;
    v.reachable_[id] = true;
    v.splits_[id] = {left, right};
}

// Whether tiktoken's rule (any pair that spells a token, smallest rank first) makes the token of its own bytes.
// Slow and direct: only for the few tokens that the pairs derived so far do not reach.
bool VocabularyBuilder::spells_out_by_ranks(TokenId id) const {
    const Vocabulary& v = *v_;
    const Bytes token = v.token_bytes(id);
    std::vector<std::size_t> cuts(token.size() + 1);
    std::iota(cuts.begin(), cuts.end(), std::size_t{0});
    while (cuts.size() > 2) {
        TokenId best = kNoToken;
        std::size_t at = 0;
        for (std::size_t i = 0; i + 2 < cuts.size(); ++i) {
            const TokenId joined = v.find(token.subspan(cuts[i], cuts[i + 2] - cuts[i]));
            if (joined < best) {
                best = joined;
                at = i + 1;
            }
        }
        if (best == kNoToken) return false;
        cuts.erase(cuts.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return true;
}

// One pair a token: merge its bytes with the pairs of smaller ranks; if two parts are left they are its pair.
//
// Tokens go in blocks, first merged with the pairs from before the block. The smallest rank comes first, so what pairs
// from inside the block do, they do after all those.
//
// A token that this does not reach is unreachable under the full rule too, unless some merge of a *larger* rank has to
// come first inside it. Those are checked by the rule itself; if one is reachable after all the ranks are not in order,
// false is returned, and the caller lists every pair instead.
bool VocabularyBuilder::derive_rank_merges() {
    Vocabulary& v = *v_;
    const auto n_vocab = static_cast<TokenId>(v.n_vocab());
    v.pairs_ = PairRanks(n_vocab, entries_.size(), n_vocab);
    v.results_.resize(n_vocab);
    std::iota(v.results_.begin(), v.results_.end(), TokenId{0});
    std::vector<TokenId> unreached;
    for (TokenId begin = 0; begin < n_vocab; begin += kBlock) {
        const TokenId end = std::min(begin + kBlock, n_vocab);
        merge_narrow(begin, end);
        for (TokenId id = begin; id < end; ++id) {
            if (v.kinds_[id] != Vocabulary::Kind::kModel || v.token_bytes(id).size() < 2) continue;
            bool known = true;
            if (in_lane_[id - begin]) {
                take_symbols(lanes_[id - begin]);
            } else {
                known = find_symbols(id);
            }
            if (known) merge_symbols();
            if (!known || symbols_.size() != 2) {
                unreached.push_back(id);
                continue;
            }
            insert_pair(symbols_[0], symbols_[1], id);
            note_split(id, symbols_[0], symbols_[1]);
            v.merges_.push_back({symbols_[0], symbols_[1], id});
        }
    }
    // The direct rule is cubic in a token's length; a long unreachable token counts as a sign of disorder instead.
    return std::none_of(unreached.begin(), unreached.end(),
                        [&](TokenId id) { return v.token_bytes(id).size() > 512 || spells_out_by_ranks(id); });
}

// Every pair of tokens that spells a token, with the token's rank.
void VocabularyBuilder::insert_all_splits(const std::vector<std::uint32_t>& rank_of) {
    Vocabulary& v = *v_;
    std::vector<std::pair<std::uint32_t, Merge>> found;
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        if (rank_of[id] == kNoRank) continue;
        const Bytes token = v.token_bytes(id);
        for (std::size_t cut = 1; cut < token.size(); ++cut) {
            const TokenId left = v.find(token.first(cut));
            if (left == kNoToken || rank_of[left] == kNoRank) continue;
            const TokenId right = v.find(token.subspan(cut));
            if (right != kNoToken && rank_of[right] != kNoRank) found.push_back({rank_of[id], {left, right, id}});
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    v.pairs_ = PairRanks(v.n_vocab(), found.size(), v.results_.size());
    v.merges_.clear();
    for (const auto& [rank, merge] : found) {
        insert_pair(merge.left, merge.right, rank);
        v.merges_.push_back(merge);
    }
}

void VocabularyBuilder::find_splits() {
    Vocabulary& v = *v_;
    const auto n_vocab = static_cast<TokenId>(v.n_vocab());
    for (TokenId begin = 0; begin < n_vocab; begin += kBlock) {
        const TokenId end = std::min(begin + kBlock, n_vocab);
        merge_narrow(begin, end);
        for (TokenId id = begin; id < end; ++id) {
            if (in_lane_[id - begin]) {
                take_symbols(lanes_[id - begin]);
            } else if (find_symbols(id)) {
                merge_symbols();
            } else {
                continue;
            }
            if (symbols_.size() != 2 || v.find(v.token_bytes(id)) != id) continue;
            const std::uint32_t rank = v.pairs_.find(symbols_[0], symbols_[1]);
            if (rank != kNoRank && v.results_[rank] == id) note_split(id, symbols_[0], symbols_[1]);
        }
    }
}

void VocabularyBuilder::check_order() {
    Vocabulary& v = *v_;
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const auto [left, right] = v.splits_[id];
        if (left != kNoToken) v.merge_orders_[id] = v.pairs_.find(left, right) + 1;
    }
    v.merges_are_ordered_ = true;
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const auto [left, right] = v.splits_[id];
        if (left == kNoToken) continue;
        if (v.merge_orders_[left] >= v.merge_orders_[id] || v.merge_orders_[right] >= v.merge_orders_[id]) {
            v.merges_are_ordered_ = false;
            return;
        }
    }
}

}  // namespace fissile
