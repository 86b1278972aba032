// What the second step of SuperwordEncoder does with every id, for many at a time: which of them may join with the next
// one, the ranks of those, and taking out what was joined.
//
// Bit i of a mask, in words of 64, is about id i.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/isa.hpp"
#include "vocab/pair_ranks.hpp"

namespace fissile {

// A set of pairs of ids of which a bit each is kept, so that it fits the inner cache. A few others are taken for them.
class PairFilter {
   public:
    explicit PairFilter(std::size_t n_pairs);

    void insert(TokenId left, TokenId right) noexcept {
        const std::uint32_t h = hash(left, right);
        words_[h >> 5] |= std::uint32_t{1} << (h & 31);
    }
    bool may_hold(TokenId left, TokenId right) const noexcept {
        const std::uint32_t h = hash(left, right);
        return (words_[h >> 5] >> (h & 31) & 1) != 0;
    }

    // For the kernels: hash = (left * kLeft + right * kRight) >> shift, whose lower five bits choose a bit of a word.
    static constexpr std::uint32_t kLeft = 0x9e3779b1u, kRight = 0x85ebca77u;
    const std::uint32_t* words() const noexcept { return words_.data(); }
    unsigned shift() const noexcept { return shift_; }

   private:
    std::uint32_t hash(TokenId left, TokenId right) const noexcept { return (left * kLeft + right * kRight) >> shift_; }
    std::vector<std::uint32_t> words_;
    unsigned shift_;
};

struct JoinKernels {
    // A bit for each i from `first` to n - 2: whether ids[i] and ids[i + 1] may be in the filter. Leaves bits below
    // first / 64 * 64 as they are, and sets those of n - 1 and beyond to 0, up to the end of their word. Bits between
    // are worked out anew.
    void (*find_joins)(const PairFilter& filter, const TokenId* ids, std::size_t first, std::size_t n,
                       std::uint64_t* joins) noexcept;
    // ranks[i] of ids[i] and ids[i + 1] for each i whose bit is set in `joins`; `ranked`: which of them have one.
    void (*find_ranks)(const PairRanks& pairs, const TokenId* ids, std::size_t n_words, const std::uint64_t* joins,
                       std::uint32_t* ranks, std::uint64_t* ranked) noexcept;
    // Moves the first n ids together, but for those whose bit is set in `gone`. Returns how many are left.
    std::size_t (*take_out)(TokenId* ids, std::size_t n, const std::uint64_t* gone) noexcept;
};

// The kernels for one ISA of this machine.
const JoinKernels& join_kernels_for(Isa isa);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const JoinKernels kJoinAvx2, kJoinAvx512;
#endif

}  // namespace fissile
