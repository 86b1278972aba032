#include "stochastic/word_chart.hpp"

#include <algorithm>

namespace fissile {

static_assert(PairRanks::kMaxRank < 1u << 28 && WordChart::kMaxSymbols <= 16, "a rank and a place are 32 bits");

void WordChart::begin(const MergeRelation& merges, const std::vector<TokenId>& symbols,
                      const std::vector<std::uint32_t>& ranks) {
    const std::size_t n = symbols.size();
    n_groups_ = n_cuts_ = n_symbols_ = 0;
    if (n < 2 || n > kMaxSymbols) return;
    n_symbols_ = n;
    token(0, 1) = symbols[0];
    for (std::size_t i = 0; i + 1 < n; ++i) {
        token(i + 1, i + 2) = symbols[i + 1];
        token(i, i + 2) = kNoToken;
        if (ranks[i] == kNoRank) continue;
        token(i, i + 2) = merges.result(ranks[i]);
        add(ranks[i], i, i + 1, i + 2);
    }
}

// False: too many.
bool WordChart::add(std::uint32_t rank, std::size_t i, std::size_t k, std::size_t j) {
    if (n_cuts_ == kMaxMerges) return false;
    const std::uint32_t order = rank << 4 | static_cast<std::uint32_t>(i);
    if (n_groups_ == 0 || orders_[n_groups_ - 1] != order || groups_[n_groups_ - 1].end != j) {
        orders_[n_groups_] = order;
        groups_[n_groups_++] = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(j),
                                static_cast<std::uint8_t>(n_cuts_), 0};
    }
    ++groups_[n_groups_ - 1].n_cuts;
    cuts_[n_cuts_++] = static_cast<std::uint8_t>(k);
    return true;
}

void WordChart::ask(const MergeRelation& merges, std::size_t size) const {
    for (std::size_t i = 0, j = size; j <= n_symbols_; ++i, ++j) {
        for (std::size_t k = i + 1; k < j; ++k) {
            if (!are_tokens(i, k, j)) continue;
            merges.ask(tokens_[cell(i, k)], tokens_[cell(k, j)]);
            if (merges.ranks_tokens()) break;
        }
    }
}

void WordChart::find(const MergeRelation& merges, std::size_t size) {
    for (std::size_t i = 0, j = size; j <= n_symbols_; ++i, ++j) {
        TokenId made = kNoToken;
        std::uint32_t rank = kNoRank;
        for (std::size_t k = i + 1; k < j; ++k) {
            if (!are_tokens(i, k, j)) continue;
            if (made == kNoToken || !merges.ranks_tokens()) {
                rank = merges.find(tokens_[cell(i, k)], tokens_[cell(k, j)]);
                if (rank == kNoRank && merges.ranks_tokens()) break;
                if (rank == kNoRank) continue;
                const TokenId result = merges.result(rank);
                if (made != kNoToken && made != result) n_symbols_ = 0;
                made = result;
            }
            if (!add(rank, i, k, j)) n_symbols_ = 0;
        }
        token(i, j) = made;
    }
    if (size == n_symbols_ && n_cuts_ == 0) n_symbols_ = 0;
}

std::size_t WordChart::sort(Group groups[kMaxMerges]) const {
    // A group's place is the number of those before it: quicker than sorting, as nothing is to be predicted.
    for (std::size_t g = 0; g < n_groups_; ++g) {
        std::uint32_t place = 0;
        for (std::size_t other = 0; other < n_groups_; ++other) place += orders_[other] < orders_[g];
        groups[place] = groups_[g];
    }
    return n_groups_;
}

}  // namespace fissile
