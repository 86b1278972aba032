// Merging a run of any length with a queue of candidates: O(n log n), whatever the merges.
// Serves the runs that merge_short is too slow for and merge_backtrack does not apply to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "vocab/pair_ranks.hpp"

namespace fissile {

// Scratch of merge_queue, kept by the caller so that repeated calls do not allocate.
struct MergeQueueScratch {
    struct Candidate {
        std::uint64_t order;  // rank or its order << 32 | position: smallest first, leftmost among equals
        TokenId left, right;  // the pair as it was: the candidate is stale once either has changed
    };
    std::vector<Candidate> heap;
    std::vector<std::uint32_t> previous, following;
};

// Merges ids in place until nothing is left to merge or `stop_at` symbols are left (the vector shrinks).
// At most 2^32 - 2 symbols. `results` gives the id that each rank makes; `orders`, where ranks tie, the smaller number
// of each rank that merges first.
void merge_queue(const PairRanks& pairs, const TokenId* results, std::vector<TokenId>& ids, MergeQueueScratch& scratch,
                 std::size_t stop_at = 1, const std::uint32_t* orders = nullptr);

}  // namespace fissile
