#include "stochastic/word_chart.hpp"

#include <algorithm>

namespace fissile {

static_assert(PairRanks::kMaxRank < 1u << 28 && WordChart::kMaxSymbols <= 16, "a rank and a place are 32 bits");

void WordChart::begin(const MergeRelation& merges, const std::vector<TokenId>& symbols,
                      const std::vector<std::uint32_t>& ranks, const std::vector<std::uint8_t>& bytes) {
    const std::size_t n = symbols.size();
    n_merges_ = n_symbols_ = 0;
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
    if (!merges.ranks_tokens()) return;
    std::copy_n(bytes.begin(), n, bytes_);
    for (std::size_t size = ShortTokens::kMinBytes; size <= std::min(n, ShortTokens::kMaxBytes); ++size) {
        for (std::size_t i = 0; i + size <= n; ++i) merges.short_tokens().ask(bytes_ + i, size);
    }
}

// False: too many.
bool WordChart::add(std::uint32_t rank, std::size_t i, std::size_t k, std::size_t j) {
    const std::uint32_t order = rank << 4 | static_cast<std::uint32_t>(i);
    const auto cut = static_cast<std::uint16_t>(1u << k);
    if (n_merges_ != 0 && orders_[n_merges_ - 1] == order && merges_[n_merges_ - 1].end == j) {
        merges_[n_merges_ - 1].cuts |= cut;
        return true;
    }
    if (n_merges_ == kMaxMerges) return false;
    orders_[n_merges_] = order;
    merges_[n_merges_++] = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(j), cut};
    return true;
}

void WordChart::ask(const MergeRelation& merges, std::size_t size) const {
    if (is_by_bytes(merges, size)) return;
    for (std::size_t i = 0, j = size; j <= n_symbols_; ++i, ++j) {
        for (std::size_t k = i + 1; k < j; ++k) {
            if (!are_tokens(i, k, j)) continue;
            merges.ask(tokens_[cell(i, k)], tokens_[cell(k, j)]);
            if (merges.ranks_tokens()) break;
        }
    }
}

void WordChart::find(const MergeRelation& merges, std::size_t size) {
    const bool is_one_rank = merges.ranks_tokens();
    for (std::size_t i = 0, j = size; j <= n_symbols_; ++i, ++j) {
        TokenId made = kNoToken;
        std::uint32_t rank = kNoRank;
        if (is_by_bytes(merges, size)) {
            rank = merges.short_tokens().find(bytes_ + i, size);
            token(i, j) = kNoToken;
            if (rank == kNoToken) continue;
        }
        for (std::size_t k = i + 1; k < j; ++k) {
            if (!are_tokens(i, k, j)) continue;
            if (rank == kNoRank || !is_one_rank) {
                rank = merges.find(tokens_[cell(i, k)], tokens_[cell(k, j)]);
                if (rank == kNoRank && is_one_rank) break;
                if (rank == kNoRank) continue;
            }
            const TokenId result = merges.result(rank);
            if ((made != kNoToken && made != result) || !add(rank, i, k, j)) n_symbols_ = 0;
            made = result;
        }
        token(i, j) = made;
    }
    if (size == n_symbols_ && n_merges_ == 0) n_symbols_ = 0;
}

void WordChart::sort(std::uint8_t sorted[kMaxMerges]) const {
    // A merge's place is the number of those before it: quicker than sorting, as nothing is to be predicted.
    for (std::size_t m = 0; m < n_merges_; ++m) {
        std::uint32_t place = 0;
        for (std::size_t other = 0; other < n_merges_; ++other) place += orders_[other] < orders_[m];
        sorted[place] = static_cast<std::uint8_t>(m);
    }
}

}  // namespace fissile
