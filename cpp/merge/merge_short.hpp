// Merging a short run of symbols: the definition of BPE, with the rank of every adjacent pair kept in an array.
//
// Always the smallest rank, leftmost among equals, until no adjacent pair is listed. A scan for the minimum and a shift
// of the arrays a merge: quadratic, yet for the pieces real text has (below 16 symbols, mostly) faster than any queue.
// Plain definition: tests/reference/merge.py.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base.hpp"
#include "vocab/pair_ranks.hpp"

namespace fissile {

// Up to this many symbols, an array beats a queue.
inline constexpr std::size_t kShortSymbols = 128;

// Merges ids[0, n) in place until nothing is left to merge or `stop_at` symbols are left; returns their number.
// `ranks` holds n - 1 entries: ranks[i] is that of ids[i] and ids[i + 1], as found by the caller. `results` gives the
// id that each rank makes.
inline std::size_t merge_short(const PairRanks& pairs, const TokenId* results, TokenId* ids, std::uint32_t* ranks,
                               std::size_t n, std::size_t stop_at = 1) noexcept {
    while (n > stop_at) {
        std::size_t best = 0;
        std::uint32_t rank = ranks[0];
        for (std::size_t i = 1; i + 1 < n; ++i) {
            // Written for a conditional move: which pair is smallest is not to be predicted.
            best = ranks[i] < rank ? i : best;
            rank = ranks[i] < rank ? ranks[i] : rank;
        }
        if (rank == kNoRank) break;
        ids[best] = results[rank];
        --n;
        // Symbol best + 1 and rank best are gone; what follows moves down by one.
        for (std::size_t i = best + 1; i < n; ++i) ids[i] = ids[i + 1];
        for (std::size_t i = best; i + 1 < n; ++i) ranks[i] = ranks[i + 1];
        if (best > 0) ranks[best - 1] = pairs.find(ids[best - 1], ids[best]);
        if (best + 1 < n) ranks[best] = pairs.find(ids[best], ids[best + 1]);
    }
    return n;
}

}  // namespace fissile
