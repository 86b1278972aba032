// Pairs of neighbouring tokens that may still be merged: how often each occurs, and where.
//
// Only pairs that occur at least `threshold` times are kept. A pair's count never rises after the merge that made it
// (its tokens are not made again), so a pair that is rarer than the threshold at birth, or becomes so, can be
// forgotten: the best pair is still exact while any pair is left. When none is, the index is built anew with a lower
// threshold. Real text has few frequent pairs and a great many rare ones, so this keeps both the table and the lists
// short.
//
// The queue holds each pair's count at birth and is corrected when a pair comes up with a count that has fallen since.
//
// The index is built by several threads. With few ids each counts a part of the sequences; with many, each looks at all
// of them and counts a share of the pairs, so that nothing is counted twice or has to be joined.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base.hpp"
#include "cpu/huge_buffer.hpp"
#include "cpu/interrupt.hpp"
#include "cpu/prefetch.hpp"
#include "train/merge_crew.hpp"
#include "train/merge_rules.hpp"
#include "train/merge_sequences.hpp"
#include "train/pair_key.hpp"
#include "train/pair_queue.hpp"
#include "train/position_pool.hpp"

namespace fissile {

class PairIndex {
   public:
    struct Best {
        PairKey key;
        std::uint64_t count;
        PositionList positions;  // until the next one is taken
    };
    // What is to be indexed, and how.
    struct Source {
        const MergeSequences& sequences;  // compacted
        const TokenShapes& shapes;        // pairs that they do not allow are left out
        std::size_t n_ids;
        MergeCrew& crew;
        unsigned n_shares;  // of the work, at most as many as the crew has parts
        Interrupt& interrupt;
    };

    // Indexes the sequences from nothing. `threshold` is for sequences that hold fewer pairs than `n_wanted` merges
    // need; else it is chosen here, from `least` up.
    void build(const Source& source, std::uint64_t threshold, std::uint64_t least, std::uint64_t n_wanted);

    std::uint64_t threshold() const { return threshold_; }
    // Takes the most frequent pair out, the smallest key among equals; false if none is left.
    bool take_best(Best& best);
    // A pair that has come to be `count` >= threshold times; where its n positions are to be written. What was known of
    // the pair before is replaced.
    std::uint32_t* insert(PairKey key, std::uint64_t count, std::uint32_t n_positions);
    // Some occurrences of a pair, indexed or not, are gone.
    void decrease(PairKey key, std::uint64_t count);
    // Has what insert or decrease read first brought near.
    FISSILE_PREFETCHES void ask(PairKey key) const { prefetch(table() + (hash_of_pair(key) & mask_)); }
    // Forgets every pair that holds this token.
    void forget_token(TokenId id);

   private:
    struct Entry {
        PairKey key;
        std::uint64_t count;  // 0: a pair that is gone, or none
        PositionList positions;
    };

    void reset(std::size_t n_pairs);
    void build_dense(const Source& source);
    void build_sparse(const Source& source);
    static std::uint64_t sampled_threshold(const Source& source, std::uint64_t n_wanted);
    Entry* table() const { return static_cast<Entry*>(table_memory_.data()); }
    Entry& entry_of(PairKey key) const;
    void make_table(std::size_t n_entries);
    void grow();
    void forget(Entry& entry);
    void ask_ahead() const;

    std::uint64_t threshold_ = 1;
    HugeBuffer table_memory_;
    std::size_t mask_ = 0;
    std::size_t n_used_ = 0;  // entries of the table, pairs that are gone included
    PositionPool pool_;
    PositionList taken_;  // those of the best pair
    const std::uint32_t* slots_ = nullptr;
    PairQueue queue_;
};

}  // namespace fissile
