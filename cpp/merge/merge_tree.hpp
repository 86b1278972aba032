// Merging a run of any length with a tree of minima: O(n log n), whatever the merges.
//
// Each pair's rank (or the order of its rank) and position are one number; over sixteen such numbers stands their
// smallest, over sixteen of those again, up to one. A merge changes three numbers and what stands over them. Nothing
// goes stale, as it would in a queue, and the work of a merge is the same short loops each time. Serves the runs that
// are too long for merge_short and that neither merge_windows nor merge_backtrack applies to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "vocab/merge_results.hpp"
#include "vocab/pair_ranks.hpp"

namespace fissile {

// Scratch of merge_tree, kept by the caller so that repeated calls do not allocate.
struct MergeTreeScratch {
    std::vector<std::uint64_t> numbers;  // all levels, the lowest first, each padded to a multiple of sixteen
    std::vector<std::uint32_t> previous, following;
};

// Merges ids in place until nothing is left to merge or `stop_at` symbols are left (the vector shrinks).
// At most 2^32 - 2 symbols. `results` gives the id that each rank makes; `orders`, where ranks
// tie, the smaller number of each rank that merges first.
void merge_tree(const PairRanks& pairs, MergeResults results, std::vector<TokenId>& ids, MergeTreeScratch& scratch,
                std::size_t stop_at = 1, const std::uint32_t* orders = nullptr, Interrupt* interrupt = nullptr);

}  // namespace fissile
