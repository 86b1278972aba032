// The corpus while it is being merged: sequences of tokens, each with a weight, in one flat array of 32-bit slots.
//
//     edge | a b c | edge | d e | edge                 a token of one slot is its id
//     edge | X 3 3 | edge | d e | edge                 X, made of a, b and c: its length is tagged in its second and
//     its
//                                                      last slot, so that both neighbours are found without links
//
// Merging two tokens writes four slots at most. Whatever was at the start of the right one is overwritten by a tag, so
// a slot that holds an id is the start of that token, and an old position of a pair is checked by reading it.
//
// Sequences are in order of weight, equal weights together. The weight of a position is therefore found in a short list
// of ranges, with no cost for long sequences and none in the array: 4 bytes a slot is all there is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/huge_buffer.hpp"

namespace fissile {

class MergeSequences {
   public:
    static constexpr std::uint32_t kTag = std::uint32_t{1} << 31;
    static constexpr std::uint32_t kEdge = 0xffffffffu;  // before, between and after sequences
    static constexpr std::uint64_t kMaxSlots = 0xffffff00u;

    MergeSequences() = default;
    // For sequences of at most `n_tokens` in all, one slot each. Memory is touched as it is written.
    MergeSequences(std::uint64_t n_sequences, std::uint64_t n_tokens);

    // Room for the next sequence, of n >= 2 tokens, to be written at once; throws Error beyond what 32-bit positions
    // reach. Those of one weight are added together.
    std::uint32_t* add(std::size_t n_tokens, std::uint64_t weight) {
        if (n_tokens + 1 > capacity_ - n_slots_) fail_full();
        if (weights_.empty() || weights_.back().weight != weight) {
            weights_.push_back({static_cast<std::uint32_t>(n_slots_), weight});
        }
        std::uint32_t* const place = slots_ + n_slots_;
        n_slots_ += n_tokens;
        slots_[n_slots_++] = kEdge;
        return place;
    }
    // After the last sequence.
    void finish();

    std::uint32_t* slots() { return slots_; }
    const std::uint32_t* slots() const { return slots_; }
    std::size_t n_slots() const { return n_slots_; }
    // Ranges of equal weight, in order; the last one ends at n_slots().
    struct Weighted {
        std::uint32_t begin;
        std::uint64_t weight;
    };
    const std::vector<Weighted>& weights() const { return weights_; }

    // Slots of the token that starts at p.
    std::uint32_t length(std::uint32_t p) const {
        const std::uint32_t next = slots_[p + 1];
        return (next & kTag) != 0 && next != kEdge ? next & ~kTag : 1;
    }
    // Start of the token that ends before p, if slots()[p - 1] is no edge.
    std::uint32_t start_before(std::uint32_t p) const {
        const std::uint32_t last = slots_[p - 1];
        return p - ((last & kTag) != 0 ? last & ~kTag : 1);
    }
    // The tokens [p, q) and [q, end) become one.
    void join(std::uint32_t p, std::uint32_t q, std::uint32_t end, TokenId id) {
        slots_[q] = kTag;
        slots_[p] = id;
        slots_[p + 1] = kTag | (end - p);
        slots_[end - 1] = kTag | (end - p);
    }

    // Gives every token one slot again and drops sequences of a single token.
    void compact();

    // Weights of ascending positions.
    class Cursor {
       public:
        explicit Cursor(const MergeSequences& sequences) : s_(&sequences) {}
        std::uint64_t weight_at(std::uint32_t p) {
            if (p >= end_) advance(p);
            return weight_;
        }

       private:
        void advance(std::uint32_t p) {
            std::size_t i = s_->first_weight_[p >> kBlockBits];
            while (i + 1 < s_->weights_.size() && s_->weights_[i + 1].begin <= p) ++i;
            weight_ = s_->weights_[i].weight;
            end_ = i + 1 < s_->weights_.size() ? s_->weights_[i + 1].begin : kEdge;
        }
        const MergeSequences* s_;
        std::uint64_t weight_ = 0;
        std::uint32_t end_ = 0;
    };

   private:
    static constexpr unsigned kBlockBits = 7;

    [[noreturn]] static void fail_full();

    HugeBuffer memory_;
    std::uint32_t* slots_ = nullptr;
    std::size_t n_slots_ = 0, capacity_ = 0;
    std::vector<Weighted> weights_;
    std::vector<std::uint32_t> first_weight_;  // of each block of slots: the range that its first slot is in
};

}  // namespace fissile
