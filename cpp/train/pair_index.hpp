// Pairs of neighbouring tokens that may still be merged: how often each occurs, and where.
//
// Only pairs that occur at least `threshold` times are kept. A pair's count never rises after the merge that made it
// (its tokens are not made again), so a pair that is rarer than the threshold at birth, or becomes so, can be
// forgotten: the best pair is still exact while any pair is left. When none is, the index is built anew with a lower
// threshold. Real text has few frequent pairs and a great many rare ones, so this keeps both the table and the lists
// short.
//
// The queue holds each pair's count at birth and is corrected when a pair comes up with a count that has fallen since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "train/merge_rules.hpp"
#include "train/merge_sequences.hpp"

namespace fissile {

using PairKey = std::uint64_t;  // left id << 32 | right id: in order, the smaller pair of ids first
inline PairKey pair_key(TokenId left, TokenId right) { return PairKey{left} << 32 | right; }
inline TokenId left_of(PairKey key) { return static_cast<TokenId>(key >> 32); }
inline TokenId right_of(PairKey key) { return static_cast<TokenId>(key); }
inline constexpr PairKey kNoPair = ~PairKey{0};  // no pair of ids

// Ascending starts of the left tokens; some may be out of date, as their tokens have been merged since.
struct PositionList {
    struct Free {
        void operator()(std::uint32_t* data) const { std::free(data); }
    };
    std::unique_ptr<std::uint32_t[], Free> data;
    std::uint32_t size = 0;

    PositionList() = default;
    explicit PositionList(std::uint32_t n)
        : data(static_cast<std::uint32_t*>(std::malloc(std::size_t{n} * sizeof(std::uint32_t)))), size(n) {
        if (!data) throw std::bad_alloc();
    }
};

class PairIndex {
   public:
    struct Best {
        PairKey key;
        std::uint64_t count;
        PositionList positions;
    };

    // Indexes the compacted `sequences` from nothing. Pairs that `shapes` does not allow are left out. `threshold` is
    // for sequences that hold fewer pairs than `n_wanted` merges need; else it is chosen here, from `least` up.
    void build(const MergeSequences& sequences, const TokenShapes& shapes, std::size_t n_ids, std::uint64_t threshold,
               std::uint64_t least, std::uint64_t n_wanted, Interrupt& interrupt);

    std::uint64_t threshold() const { return threshold_; }
    // Takes the most frequent pair out, the smallest key among equals; false if none is left.
    bool take_best(Best& best);
    // A pair that has come to be `count` >= threshold times; where its n positions are to be written. What was known of
    // the pair before is replaced.
    std::uint32_t* insert(PairKey key, std::uint64_t count, std::uint32_t n_positions);
    // Some occurrences of a pair, indexed or not, are gone.
    void decrease(PairKey key, std::uint64_t count);
    // Forgets every pair that holds this token.
    void forget_token(TokenId id);

   private:
    struct Entry {
        PairKey key = kNoPair;
        std::uint64_t count = 0;  // 0: a pair that is gone
        PositionList positions;
    };
    struct Queued {
        std::uint64_t count;
        PairKey key;
        bool operator<(const Queued& other) const {
            return count != other.count ? count < other.count : key > other.key;
        }
    };

    void reset(std::size_t n_pairs);
    void build_dense(const MergeSequences& sequences, const TokenShapes& shapes, std::size_t n_ids,
                     Interrupt& interrupt);
    void build_sparse(const MergeSequences& sequences, const TokenShapes& shapes, Interrupt& interrupt);
    static std::uint64_t sampled_threshold(const MergeSequences& sequences, const TokenShapes& shapes,
                                           std::uint64_t n_wanted, Interrupt& interrupt);
    std::size_t slot_of(PairKey key) const;
    void grow();
    void push(Queued queued);

    std::uint64_t threshold_ = 1;
    std::vector<Entry> table_;
    std::size_t n_used_ = 0;  // slots of the table, pairs that are gone included
    std::vector<Queued> queue_;
};

}  // namespace fissile
