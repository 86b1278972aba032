// Pairs in order of falling count, the smaller key first among equals.
//
// Nearly all pairs are rare, and most of the rarest never have their turn. So those with small counts wait in a list a
// count, in no order, and a list is sorted when its turn comes, which also tells what comes up next. The others, few,
// are in a heap. A heap of all took a fifth of merging to 128,000 ids.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "train/pair_key.hpp"

namespace fissile {

class PairQueue {
   public:
    struct Queued {
        std::uint64_t count;  // at least 1
        PairKey key;
    };

    void push(Queued queued) {
        if (queued.count >= kLists) {
            frequent_.push_back(queued);
            std::push_heap(frequent_.begin(), frequent_.end(), comes_after);
        } else if (queued.count == turn_) {
            late_.push_back(queued.key);
            std::push_heap(late_.begin(), late_.end(), std::greater<>());
        } else {
            if (queued.count > turn_) end_turn();
            waiting_[queued.count].push_back(queued.key);
            highest_ = std::max(highest_, static_cast<std::size_t>(queued.count));
        }
    }

    // Takes the first out; false if there is none.
    bool pop(Queued& first) {
        if (!frequent_.empty()) {
            std::pop_heap(frequent_.begin(), frequent_.end(), comes_after);
            first = frequent_.back();
            frequent_.pop_back();
            return true;
        }
        if (sorted_.empty() && late_.empty() && !begin_turn()) return false;
        first.count = turn_;
        if (late_.empty() || (!sorted_.empty() && sorted_.back() < late_.front())) {
            first.key = sorted_.back();
            sorted_.pop_back();
        } else {
            std::pop_heap(late_.begin(), late_.end(), std::greater<>());
            first.key = late_.back();
            late_.pop_back();
        }
        return true;
    }

    // The key that has its turn after n others, as far as can be told; or kNoPair.
    PairKey ahead(std::size_t n) const { return n < sorted_.size() ? sorted_[sorted_.size() - 1 - n] : kNoPair; }

   private:
    static constexpr std::size_t kLists = 4096;

    static bool comes_after(const Queued& a, const Queued& b) {
        return a.count != b.count ? a.count < b.count : a.key > b.key;
    }

    bool begin_turn() {
        turn_ = 0;
        while (highest_ != 0 && waiting_[highest_].empty()) --highest_;
        if (highest_ == 0) return false;
        turn_ = highest_;
        sorted_ = std::exchange(waiting_[turn_], {});
        std::sort(sorted_.begin(), sorted_.end(), std::greater<>());
        return true;
    }
    // For one that comes before them: the list waits again.
    void end_turn() {
        std::vector<PairKey>& list = waiting_[turn_];
        list.insert(list.end(), sorted_.begin(), sorted_.end());
        list.insert(list.end(), late_.begin(), late_.end());
        sorted_.clear();
        late_.clear();
        turn_ = 0;
    }

    std::vector<Queued> frequent_;                                            // a heap
    std::vector<std::vector<PairKey>> waiting_ = decltype(waiting_)(kLists);  // by count
    std::size_t highest_ = 0;                                                 // no list above it holds any
    std::size_t turn_ = 0;                                                    // whose list is sorted_; 0: none
    std::vector<PairKey> sorted_;                                             // falling
    std::vector<PairKey> late_;                                               // come since: a heap
};

}  // namespace fissile
