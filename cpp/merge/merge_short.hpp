// Merging a short run of symbols: the definition of BPE, with the rank of every adjacent pair kept in an array.
//
// Always the smallest rank, leftmost among equals, until no adjacent pair is listed. What a merge costs is jumps that
// go the wrong way and the wait for the table of pairs, so there is neither: symbols stay at their positions and a bit
// each tells which are left, a pair's rank and position are one number, arrays have a fixed width, and beyond the ends
// stand ids that merge with nothing. Several pieces take their steps in turn, so that the ranks that a step asked for
// have arrived when the piece's next turn comes. The step itself: merge_step.hpp.
// Plain definition: tests/reference/merge.py.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base.hpp"
#include "cpu/isa.hpp"
#include "merge/merge_keys.hpp"
#include "vocab/merge_results.hpp"
#include "vocab/pair_ranks.hpp"

namespace fissile {

// A piece being merged. kWidth 16: up to 15 symbols, as many bytes as a piece of the piece table has; 64: up to 62.
template <unsigned kWidth>
struct MergeLane {
    static_assert(kWidth == 16 || kWidth == 64);
    static constexpr std::size_t kMaxSymbols = kWidth == 16 ? 15 : 62;
    static constexpr unsigned kPositionBits = kWidth == 16 ? 4 : 6;
    // Rank above position: the smallest is the pair to merge, leftmost among equals.
    using Order = std::conditional_t<kWidth == 16, std::uint32_t, std::uint64_t>;
    static constexpr Order order_of(std::uint32_t rank, unsigned position) {
        return static_cast<Order>(Order{rank} << kPositionBits | position);
    }
    // This and above: no pair.
    static constexpr Order kNone = static_cast<Order>(Order{kNoRank} << kPositionBits);

    // Symbols and ranks of a piece are set after this: symbol i, and the rank of i and i + 1.
    void begin(std::size_t n_symbols) noexcept {
        std::fill_n(orders, kWidth, kNone);
        ids[0] = ids[n_symbols + 1] = kNoToken;
        alive = ~std::uint64_t{0} >> (62 - n_symbols);
    }
    void set_symbol(std::size_t i, TokenId id) noexcept { ids[i + 1] = id; }
    void set_rank(std::size_t i, std::uint32_t rank) noexcept {
        orders[i + 1] = order_of(rank, static_cast<unsigned>(i + 1));
    }

    // All of that for a piece whose bytes are symbols: a Vocabulary or AsciiSymbols says which, and their ranks.
    template <class Symbols>
    void spell(Bytes piece, const Symbols& symbols) noexcept {
        begin(piece.size());
        for (std::size_t i = 0; i < piece.size(); ++i) set_symbol(i, symbols.byte_symbol(piece[i]));
        for (std::size_t i = 0; i + 1 < piece.size(); ++i) set_rank(i, symbols.byte_pair_rank(piece[i], piece[i + 1]));
    }

    std::size_t n_symbols() const noexcept { return static_cast<std::size_t>(std::popcount(alive)) - 2; }
    // Writes the symbols that are left; returns how many.
    std::size_t copy_ids(TokenId* out) const noexcept {
        std::size_t n = 0;
        const std::uint64_t symbols = alive & (alive - 1);  // without the one before the first
        for (std::uint64_t left = symbols; (left & (left - 1)) != 0; left &= left - 1) {
            out[n++] = ids[std::countr_zero(left)];
        }
        return n;
    }

    alignas(64) Order orders[kWidth];  // of the pair that begins at each position
    TokenId ids[kWidth + 1];           // symbols from position 1 on; before the first and after the last, kNoToken
    std::uint64_t alive;               // positions of symbols that are left, and of the two beyond the ends
    unsigned at, before, after;        // where the last step merged, and its neighbours
    TokenId left, right;               // what it merged
};

// The kernels of one ISA; `results` gives the id that each rank makes.
struct MergeKernels {
    template <unsigned kWidth>
    using Many = void (*)(const PairRanks& pairs, MergeResults results, MergeLane<kWidth>* lanes,
                          std::size_t n_lanes) noexcept;
    // Merge each lane until nothing is left to merge.
    Many<16> many16;
    Many<64> many64;
    // Merges a piece of up to kMaxByRank symbols where merges are ordered; returns how many are left. Longer ones have
    // so many ranks that a search for each merge takes less than a pass for each rank.
    static constexpr std::size_t kMaxByRank = 512;
    std::size_t (*by_rank)(const PairRanks& pairs, MergeResults results, TokenId* ids, std::size_t n) noexcept;
    bool passes_are_cheap;  // so that this holds of pieces that are no rows of one character, too
    MergeKeys keys;
    MergeKeys keys_to_two;  // the same, but stops at two symbols

    void many(const PairRanks& pairs, MergeResults results, MergeLane<16>* lanes, std::size_t n) const noexcept {
        many16(pairs, results, lanes, n);
    }
    void many(const PairRanks& pairs, MergeResults results, MergeLane<64>* lanes, std::size_t n) const noexcept {
        many64(pairs, results, lanes, n);
    }
};

// The kernels for one ISA of this machine.
const MergeKernels& merge_kernels_for(Isa isa);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const MergeKernels kMergeAvx2, kMergeAvx512;
#endif

}  // namespace fissile
