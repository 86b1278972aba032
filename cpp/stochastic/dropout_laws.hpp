// Merging a word with merges left out at random, by the four laws that go by the name of BPE-dropout.
//
// A candidate is a place where two neighbours may merge; candidates are ordered by rank, then from the left.
//
//   paper          (Provilkov et al., arXiv 1910.13267, and the authors' code) at each step every candidate is dropped
//                  with probability p, the best that is not is merged, and all compete again; when all are dropped the
//                  word is done. Drawn lazily: in order, up to the first that is not dropped.
//   tokenizers     (word.rs of `tokenizers` 0.23, as YouTokenToMe) a queue of candidates, stale ones included: one
//   drawn
//                  as dropped is set aside; one that is not puts back all that were, and merges unless it is stale. The
//                  stale ones give dropped merges more chances than the paper does.
//   sentencepiece  (bpe_model.cc) stale candidates are skipped; a dropped one never comes back.
//   subword-nmt    (apply_bpe.py) in rounds: every candidate is drawn, and all those that are not dropped of the pair
//                  that is best among them are merged at once, from the left. Drawn lazily: nothing is drawn for
//                  candidates behind the best pair.
//
// Each law is a function of a row of yes-or-no draws; `Draws` holds them as the numbers of survivors between drops.
// Plain definitions: tests/reference/stochastic.py. O(n log n / (1 - p)) for a word of n symbols.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "cpu/hash.hpp"
#include "cpu/interrupt.hpp"
#include "stochastic/least_above.hpp"
#include "stochastic/merge_relation.hpp"
#include "stochastic/random.hpp"

namespace fissile {

enum class DropoutLaw : std::uint8_t { kPaper, kTokenizers, kSentencePiece, kSubwordNmt };

// The draws of a word: gaps that are given, then gaps from a stream.
class Draws {
   public:
    Draws(const std::uint64_t* given, std::size_t n_given, GapStream& stream)
        : given_(given), given_end_(given + n_given), stream_(stream), left_(next_gap()), last_(left_) {}

    bool dropped() {
        if (left_ != 0) {
            --left_;
            return false;
        }
        left_ = last_ = next_gap();
        ++n_drops_;
        return true;
    }
    // Survivors still to come before the next drop.
    std::uint64_t left() const { return left_; }
    // The same right behind the last drop, or at the start.
    std::uint64_t last_gap() const { return last_; }
    std::size_t n_drops() const { return n_drops_; }

   private:
    std::uint64_t next_gap() {
        if (given_ != given_end_) return *given_++;
        return stream_.next();
    }

    const std::uint64_t* given_;
    const std::uint64_t* given_end_;
    GapStream& stream_;
    std::uint64_t left_, last_;
    std::size_t n_drops_ = 0;
};

// Ranks asked for lately: the table of a large vocabulary's pairs fits no near cache, those of frequent words do.
class RecentRanks {
   public:
    RecentRanks() : slots_(static_cast<Slot*>(std::calloc(kSlots, sizeof(Slot)))) {
        if (slots_ == nullptr) throw std::bad_alloc();
    }
    ~RecentRanks() { std::free(slots_); }
    RecentRanks(const RecentRanks&) = delete;
    RecentRanks& operator=(const RecentRanks&) = delete;

    std::uint32_t find(const MergeRelation& merges, TokenId left, TokenId right) {
        Slot& slot =
            slots_[((left * std::uint64_t{kHashSeed1}) ^ (right * std::uint64_t{kHashSeed2})) >> 32 & (kSlots - 1)];
        if (slot.left_and_one != left + 1 || slot.right != right) slot = {left + 1, right, merges.find(left, right)};
        return slot.rank;
    }

   private:
    static constexpr std::size_t kSlots = 32768;
    struct Slot {
        std::uint32_t left_and_one, right, rank;
    };
    Slot* slots_;  // zeroed: memory is touched only where it is used
};

// A word as linked symbols, and a heap of the pairs that may merge.
struct DropoutQueue {
    struct Candidate {
        std::uint64_t order;  // rank << 32 | position: smallest rank first, leftmost among equals
        TokenId left, right;  // the pair as it was: the candidate is stale once either has changed
    };
    std::vector<Candidate> heap;
    std::vector<std::uint32_t> previous, following;
};

struct DropoutWord {
    std::uint32_t find(const MergeRelation& merges, TokenId left, TokenId right) {
        return recent == nullptr ? merges.find(left, right) : recent->find(merges, left, right);
    }

    std::unique_ptr<RecentRanks> recent;  // if there is one
    std::vector<TokenId> symbols;         // in: the symbols; out: the ids
    std::vector<std::uint32_t> ranks;     // in: of neighbouring symbols, one fewer
    std::vector<std::uint8_t> bytes;      // in: of the symbols, where each is a byte
    DropoutQueue queue;
    std::vector<DropoutQueue::Candidate> aside, same;
    std::vector<std::uint32_t> merged;
    std::vector<std::uint64_t> tree, dropped, level, dropped_of_level;
    std::vector<std::int32_t> by_place;
    Interrupt* interrupt = nullptr;
    LeastAboveKernel least_above = least_above_kernel_for(chosen_isa());
    PlacesKernel places_of = places_kernel_for(chosen_isa());
};

void merge_with_dropout(DropoutLaw law, const MergeRelation& merges, DropoutWord& word, Draws& draws);

}  // namespace fissile
