// VocabularyBuilder: which pair each token merges from, and with ranks or scores which pairs there are.
#include <algorithm>
#include <numeric>

#include "merge/merge_backtrack.hpp"
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
    // While ranks are derived, as the token in hand has no pair yet, so that two are left at least.
    if (v.merges_are_ordered_ && symbols_.size() <= MergeKernels::kMaxByRank) {
        symbols_.resize(kernels_.by_rank(v.pairs_, v.results(), symbols_.data(), symbols_.size()));
        return;
    }
    if (v.tied_orders() != nullptr || symbols_.size() > MergeLane<64>::kMaxSymbols) {
        merge_tree(v.pairs_, v.results(), symbols_, tree_, 2, v.tied_orders());
        return;
    }
    fill_lane(wide_);
    kernels_.many(v.pairs_, v.results(), &wide_, 1);
    take_symbols(wide_);
}

// Merges those of up to kBlock tokens that fit a lane, together: bytes, which are told by their keys, down to two
// symbols; characters as far as they go.
void VocabularyBuilder::merge_narrow(const TokenId* ids, std::size_t n) {
    const Vocabulary& v = *v_;
    n_parts_.fill(0);
    if (v.tied_orders() != nullptr) return;
    if (v.options_.alphabet == Alphabet::kBytes) {
        std::array<PieceKey, kBlock> keys;
        for (std::size_t i = 0; i < n; ++i) {
            const Bytes token = v.token_bytes(ids[i]);
            const bool fits = token.size() >= 2 && token.size() <= kMaxInlinePiece;
            keys[i] = fits ? piece_key(token.data(), token.size()) : PieceKey{0, 0};
        }
        kernels_.keys_to_two(v.pairs_, v.results(), v.byte_symbols(), keys.data(), n, parts_.data(), n_parts_.data());
        return;
    }
    std::array<MergeLane<16>, kBlock> lanes;
    std::array<std::size_t, kBlock> places;
    std::size_t n_lanes = 0;
    for (std::size_t i = 0; i < n; ++i) {
        if (!find_symbols(ids[i]) || symbols_.size() > MergeLane<16>::kMaxSymbols) continue;
        places[n_lanes] = i;
        fill_lane(lanes[n_lanes++]);
    }
    kernels_.many(v.pairs_, v.results(), lanes.data(), n_lanes);
    for (std::size_t i = 0; i < n_lanes; ++i) {
        take_symbols(lanes[i]);
        std::copy(symbols_.begin(), symbols_.end(), parts_[places[i]].ids);
        n_parts_[places[i]] = static_cast<std::uint8_t>(symbols_.size());
    }
}

// symbols_: two parts of a token of the last block, the one at `place`, from which the last merge makes it; false if
// there are none.
bool VocabularyBuilder::find_rest(TokenId id, std::size_t place) {
    if (n_parts_[place] != 0) {
        symbols_.assign(parts_[place].ids, parts_[place].ids + n_parts_[place]);
    } else if (!find_symbols(id)) {
        return false;
    }
    merge_symbols();  // also with pairs that came since
    return symbols_.size() == 2;
}

void VocabularyBuilder::note_split(TokenId id, TokenId left, TokenId right, std::uint32_t rank) {
    Vocabulary& v = *v_;
    v.reachable_[id] = true;
    v.splits_[id] = {left, right};
    if (!v.merge_orders_.empty()) v.merge_orders_[id] = rank + 1;
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
    v.pairs_ = PairRanks(n_vocab, n_entries(), n_vocab);
    // Each rank makes the token of its number, from parts of smaller ones.
    v.n_results_ = n_vocab;
    v.first_result_ = 0;
    v.results_are_in_order_ = v.merges_are_ordered_ = true;
    std::vector<TokenId> ids, unreached;
    for (TokenId id = 0; id < n_vocab;) {
        for (ids.clear(); id < n_vocab && ids.size() < kBlock; ++id) {
            if (v.kinds_[id] == Vocabulary::Kind::kModel && v.token_bytes(id).size() >= 2) ids.push_back(id);
        }
        merge_narrow(ids.data(), ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i) v.pairs_.ask(parts_[i].ids[0], parts_[i].ids[1]);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            TokenId left = parts_[i].ids[0], right = parts_[i].ids[1];
            if (n_parts_[i] != 2) {
                if (!find_rest(ids[i], i)) {
                    unreached.push_back(ids[i]);
                    continue;
                }
                left = symbols_[0];
                right = symbols_[1];
            }
            const Bytes token = v.token_bytes(ids[i]);
            // Merging made the same of the same bytes before, so this is a token that is given twice: refused there.
            if (!v.index_is_made_ && v.pairs_.find(left, right) != kNoRank) index_tokens();
            v.pairs_.insert_new(left, right, ids[i]);
            if (token.size() == 2) v.byte_pair_ranks_[std::size_t{token[0]} << 8 | token[1]] = ids[i];
            note_split(ids[i], left, right, ids[i]);
            ++v.n_merges_;
        }
    }
    if (!unreached.empty() && !v.index_is_made_) index_tokens();
    // The direct rule is cubic in a token's length; a long unreachable token counts as a sign of disorder instead.
    v.merges_are_ordered_ = std::none_of(unreached.begin(), unreached.end(), [&](TokenId id) {
        return v.token_bytes(id).size() > 512 || spells_out_by_ranks(id);
    });
    return v.merges_are_ordered_;
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
    v.pairs_ = PairRanks(v.n_vocab(), found.size(), v.n_results());
    v.merges_.clear();
    for (const auto& [rank, merge] : found) {
        insert_pair(merge.left, merge.right, rank);
        v.merges_.push_back(merge);
    }
    v.n_merges_ = found.size();
}

// The splits that follow from listed merges alone, in order: two parts that merging was seen to make before, and that
// stay apart until it is the merge's turn. Whatever else a token may merge from is left to find_splits.
void VocabularyBuilder::find_listed_splits() {
    Vocabulary& v = *v_;
    static constexpr std::array<std::uint8_t, 3> kMetaspace{0xe2, 0x96, 0x81};
    if (v.options_.metaspace && v.find(kMetaspace) != kNoToken) return;  // text has another symbol in its place
    constexpr std::uint32_t kAhead = 16;
    for (std::uint32_t rank = 0; rank < v.merges_.size(); ++rank) {
        if (rank + kAhead < v.merges_.size()) {
            const Merge& ahead = v.merges_[rank + kAhead];
            v.pairs_.ask(ahead.left, ahead.right);
            prefetch(&v.splits_[ahead.left]);
            prefetch(&v.splits_[ahead.right]);
        }
        const auto [left, right, id] = v.merges_[rank];
        if (v.reachable_[id] || !indexed_[id] || !v.reachable_[left] || !v.reachable_[right]) continue;
        const Bytes token = v.token_bytes(id), first = v.token_bytes(left), second = v.token_bytes(right);
        if (first.size() + second.size() != token.size() || !std::ranges::equal(first, token.first(first.size())) ||
            !std::ranges::equal(second, token.subspan(first.size())))
            continue;
        // Not where the pair is given again: it has the later rank.
        if (is_canonical_pair_at(v, left, right, rank)) note_split(id, left, right, rank);
    }
}

// The splits of tokens of which none is known, by merging their bytes.
void VocabularyBuilder::find_splits() {
    Vocabulary& v = *v_;
    std::vector<TokenId> ids;
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        if (indexed_[id] && !v.reachable_[id]) ids.push_back(id);
    }
    for (std::size_t begin = 0; begin < ids.size(); begin += kBlock) {
        const std::size_t n = std::min(kBlock, ids.size() - begin);
        merge_narrow(ids.data() + begin, n);
        for (std::size_t i = 0; i < n; ++i) {
            const TokenId id = ids[begin + i];
            if (!find_rest(id, i)) continue;
            const std::uint32_t rank = v.pairs_.find(symbols_[0], symbols_[1]);
            if (rank != kNoRank && v.results()[rank] == id) note_split(id, symbols_[0], symbols_[1], rank);
        }
    }
}

void VocabularyBuilder::check_order() {
    Vocabulary& v = *v_;
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
