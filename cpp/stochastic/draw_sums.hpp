// Finds the word that holds a given draw, where each id of a word makes a known number of draws: by sums over the spans
// of some ids, searched sixteen at a time, so that the words in between cost a comparison and no jump.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "encode/splitter.hpp"
#include "stochastic/merge_relation.hpp"

namespace fissile {

class DrawSums {
   public:
    // Sums the draws of the spans from `first` on, as many as are looked at together; returns the one behind them.
    // `first` itself: that span is too long, or makes too many draws.
    std::size_t sum(const MergeRelation& merges, const SpannedIds& document, std::size_t first) {
        const std::uint32_t* const ends = document.span_ends + first;
        const std::uint32_t begin = first == 0 ? 0 : ends[-1];
        n_spans_ = std::min(document.n_spans - first, kIdsAtOnce);
        if (ends[n_spans_ - 1] - begin > kIdsAtOnce) {
            n_spans_ = static_cast<std::size_t>(
                std::upper_bound(ends, ends + n_spans_, begin + static_cast<std::uint32_t>(kIdsAtOnce)) - ends);
        }
        if (n_spans_ == 0) return first;
        const TokenId* const ids = document.ids + begin;
        const std::size_t n_ids = ends[n_spans_ - 1] - begin;
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < n_ids; ++i) {
            by_id_[i] = static_cast<std::int32_t>(total);
            total += merges.n_merges(ids[i]);
        }
        if (total >= kNone) return first;
        by_id_[n_ids] = static_cast<std::int32_t>(total);
        for (std::size_t span = 0; span < n_spans_; ++span) by_span_[span] = by_id_[ends[span] - begin];
        std::fill_n(by_span_.begin() + static_cast<std::ptrdiff_t>(n_spans_), kSpansAtOnce, kNone);
        return first + n_spans_;
    }

    // Of all of them.
    std::uint32_t total() const { return until(n_spans_ - 1); }
    // Of the spans up to the one with this number, counted from `first`.
    std::uint32_t until(std::size_t span) const { return static_cast<std::uint32_t>(by_span_[span]); }
    // The span that holds a draw below total(); not before `span`.
    std::size_t find(std::uint32_t draw, std::size_t span) const {
        const std::uint32_t least = draw + 1;  // of the sums, the least that is behind it
        for (;; span += kSpansAtOnce) {
            std::uint32_t n_before = 0;
            // By the sign of the difference: gcc 12 for arm64 adds up sixteen comparisons to the negative of their sum.
            for (std::size_t i = 0; i < kSpansAtOnce; ++i) n_before += (until(span + i) - least) >> 31;
            if (n_before != kSpansAtOnce) return span + n_before;
        }
    }

   private:
    static constexpr std::size_t kIdsAtOnce = 2048, kSpansAtOnce = 16;
    static constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();

    std::size_t n_spans_ = 0;
    std::array<std::int32_t, kIdsAtOnce + 1> by_id_;               // draws before an id
    std::array<std::int32_t, kIdsAtOnce + kSpansAtOnce> by_span_;  // draws up to the end of a span; then kNone
};

}  // namespace fissile
