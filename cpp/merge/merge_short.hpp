// Merging a short run of symbols: the definition of BPE, with the rank of every adjacent pair kept in an array.
//
// Always the smallest rank, leftmost among equals, until no adjacent pair is listed. What a merge costs is jumps that
// go the wrong way and the wait for the table of pairs, so there is neither: symbols stay at their positions and a bit
// each tells which are left, a pair's rank and position are one number, arrays have a fixed width, and beyond the ends
// stand ids that merge with nothing. merge_many takes a step of every piece in turn, so that the ranks that a step
// asked for have arrived when the piece's next turn comes.
// Plain definition: tests/reference/merge.py.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base.hpp"
#include "vocab/pair_ranks.hpp"

namespace fissile {

// A piece being merged. kWidth 16: up to 15 symbols, as many bytes as a piece of the piece table has; 64: up to 62.
template <unsigned kWidth>
class MergeLane {
    static_assert(kWidth == 16 || kWidth == 64);
    static constexpr unsigned kPositionBits = kWidth == 16 ? 4 : 6;
    // Rank above position: the smallest is the pair to merge, leftmost among equals.
    using Order = std::conditional_t<kWidth == 16, std::uint32_t, std::uint64_t>;
    static constexpr Order order_of(std::uint32_t rank, unsigned position) {
        return static_cast<Order>(Order{rank} << kPositionBits | position);
    }
    static constexpr Order kNone = order_of(kNoRank, 0);

   public:
    static constexpr std::size_t kMaxSymbols = kWidth == 16 ? 15 : 62;

    // Symbols and ranks of a piece are set after this: symbol(i), rank(i) between i and i + 1.
    void begin(std::size_t n_symbols) noexcept {
        std::fill_n(orders_, kWidth, kNone);
        ids_[0] = ids_[n_symbols + 1] = kNoToken;
        alive_ = ~std::uint64_t{0} >> (62 - n_symbols);
    }
    void set_symbol(std::size_t i, TokenId id) noexcept { ids_[i + 1] = id; }
    void set_rank(std::size_t i, std::uint32_t rank) noexcept {
        orders_[i + 1] = order_of(rank, static_cast<unsigned>(i + 1));
    }

    std::size_t n_symbols() const noexcept { return static_cast<std::size_t>(std::popcount(alive_)) - 2; }

    // Merges one pair and asks for the ranks around it; false if there is none to merge. answer() must come before the
    // next step.
    bool step(const PairRanks& pairs, const TokenId* results) noexcept {
        Order best = orders_[0];
        for (unsigned i = 1; i < kWidth; ++i) best = std::min(best, orders_[i]);
        if (best >= kNone) return false;
        at_ = static_cast<unsigned>(best) & (kWidth - 1);
        ids_[at_] = results[best >> kPositionBits];
        const std::uint64_t beyond = ~std::uint64_t{1} << at_;
        const std::uint64_t merged = alive_ & beyond & -(alive_ & beyond);
        alive_ ^= merged;
        orders_[std::countr_zero(merged)] = kNone;
        before_ = static_cast<unsigned>(std::bit_width(alive_ & ~(beyond | beyond >> 1))) - 1;
        after_ = static_cast<unsigned>(std::countr_zero(alive_ & beyond));
        pairs.ask(ids_[before_], ids_[at_]);
        pairs.ask(ids_[at_], ids_[after_]);
        return true;
    }
    void answer(const PairRanks& pairs) noexcept {
        orders_[before_] = order_of(pairs.find(ids_[before_], ids_[at_]), before_);
        orders_[at_] = order_of(pairs.find(ids_[at_], ids_[after_]), at_);
    }

    // Writes the symbols that are left; returns how many.
    std::size_t copy_ids(TokenId* out) const noexcept {
        std::size_t n = 0;
        const std::uint64_t symbols = alive_ & (alive_ - 1);  // without the one before the first
        for (std::uint64_t left = symbols; (left & (left - 1)) != 0; left &= left - 1) {
            out[n++] = ids_[std::countr_zero(left)];
        }
        return n;
    }

   private:
    // Position 0 and the one after the last symbol hold kNoToken and stay.
    alignas(64) Order orders_[kWidth];
    TokenId ids_[kWidth + 1];
    std::uint64_t alive_;
    unsigned at_, before_, after_;
};

// Merges each lane until nothing is left to merge.
template <unsigned kWidth>
inline void merge_many(const PairRanks& pairs, const TokenId* results, MergeLane<kWidth>* lanes,
                       std::size_t n_lanes) noexcept {
    constexpr std::size_t kMaxActive = 32;
    for (; n_lanes > kMaxActive; n_lanes -= kMaxActive, lanes += kMaxActive) {
        merge_many(pairs, results, lanes, kMaxActive);
    }
    MergeLane<kWidth>* active[kMaxActive];
    std::size_t n_active = 0;
    for (std::size_t i = 0; i < n_lanes; ++i) {
        active[n_active] = lanes + i;
        n_active += lanes[i].step(pairs, results);
    }
    while (n_active != 0) {
        std::size_t n_still = 0;
        for (std::size_t i = 0; i < n_active; ++i) {
            MergeLane<kWidth>* const lane = active[i];
            lane->answer(pairs);
            active[n_still] = lane;
            n_still += lane->step(pairs, results);
        }
        n_active = n_still;
    }
}

}  // namespace fissile
