#include "stochastic/piece_order.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>

namespace fissile {

namespace {

constexpr std::uint32_t kEnd = 0xffffffffu;
// Splits that are sorted between two looks at an interrupt.
constexpr std::size_t kSortedAtOnce = std::size_t{1} << 18;

TokenId* room_for(IdArray& array, std::size_t n) {
    array.clear();
    array.reserve_more(n);
    return array.append_uninitialised(n);
}

void check(Interrupt* interrupt) {
    if (interrupt != nullptr) interrupt->check_now();
}

}  // namespace

void PieceOrder::write(const Pieces& pieces, TokenId* out, TokenId* parents, TokenId first_parent,
                       Interrupt* interrupt) {
    if (parents == nullptr) {
        write_with<false>(pieces, out, parents, first_parent, interrupt);
    } else {
        write_with<true>(pieces, out, parents, first_parent, interrupt);
    }
}

template <bool kParents>
void PieceOrder::write_with(const Pieces& pieces, TokenId* out, [[maybe_unused]] TokenId* parents,
                            [[maybe_unused]] TokenId first_parent, Interrupt* interrupt) {
    const TokenId* const ids = pieces.ids;
    const std::size_t n_input = pieces.n_input, size = n_input + pieces.n_splits;
    std::uint32_t* const next = room_for(next_, size);
    std::fill_n(next, n_input, kEnd);
    marks_.assign(size / 64 + 1, 0);
    std::uint64_t* const marks = marks_.data();
    for (std::size_t i = 0; i < pieces.n_splits; ++i) {
        const std::uint32_t left = pieces.lefts[i];
        next[n_input + i] = next[left];
        next[left] = static_cast<std::uint32_t>(n_input + i);
        marks[left >> 6] |= std::uint64_t{1} << (left & 63);
    }
    std::size_t copied = 0;  // places below are written
    const auto write_parent = [&](std::size_t place) {
        if constexpr (kParents) *parents++ = first_parent + static_cast<TokenId>(place);
    };
    // So many at a time that few stretches are longer at the p of the paper.
    const auto copy_to = [&](std::size_t end) {
        const TokenId* const from = ids + copied;
        const std::size_t n = end - copied;
        for (std::size_t i = 0; i < n; i += kSpare) std::memcpy(out + i, from + i, kSpare * sizeof(TokenId));
        out += n;
        for (std::size_t i = copied; kParents && i < end; ++i) write_parent(i);
    };
    for (std::size_t word = 0; word * 64 < n_input; ++word) {
        if (word % 1024 == 1023) check(interrupt);
        for (std::uint64_t bits = marks[word]; bits != 0; bits &= bits - 1) {
            const std::size_t place = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
            if (place >= n_input) break;  // right halves are reached by links
            copy_to(place + 1);
            copied = place + 1;
            std::uint32_t at = next[place];
            do {
                *out++ = ids[at];
                write_parent(place);
                at = next[at];
            } while (at != kEnd);
        }
    }
    copy_to(n_input);
}

void PieceOrder::write_in_place(TokenId* ids, std::size_t n_input, std::uint32_t* lefts, std::size_t n_splits,
                                TokenId* parents, Interrupt* interrupt) {
    sort_by_block(ids + n_input, n_input, lefts, n_splits, interrupt);
    for (std::size_t block = starts_.size() - 1; block-- > 0;) {
        check(interrupt);
        const std::size_t begin = block * kBlock, n_here = std::min(kBlock, n_input - begin);
        const std::size_t first = starts_[block], n_new = starts_[block + 1] - first;
        TokenId* const pieces = room_for(block_, n_here + n_new + kSpare);
        std::memcpy(pieces, ids + begin, n_here * sizeof(TokenId));
        std::memcpy(pieces + n_here, sorted_rights_.data() + first, n_new * sizeof(TokenId));
        // What is copied too much would go over the next block, which is there already.
        TokenId* const out = ids + begin + first;
        std::array<TokenId, kSpare> behind;
        std::memcpy(behind.data(), out + n_here + n_new, sizeof behind);
        write({pieces, n_here, sorted_lefts_.data() + first, n_new}, out,
              parents == nullptr ? nullptr : parents + begin + first, static_cast<TokenId>(begin), interrupt);
        std::memcpy(out + n_here + n_new, behind.data(), sizeof behind);
    }
}

// A piece that was split off belongs to the block of what it was split from, which was split off earlier itself or is
// of the input.
void PieceOrder::sort_by_block(const TokenId* rights, std::size_t n_input, std::uint32_t* lefts, std::size_t n_splits,
                               Interrupt* interrupt) {
    const std::size_t n_blocks = (n_input + kBlock - 1) / kBlock;
    static_assert((std::size_t{1} << 32) / kBlock <= std::size_t{1} << 16, "a block's number is 16 bits");
    block_of_.resize(n_splits);
    std::uint16_t* const block_of = block_of_.data();
    starts_.assign(n_blocks + 1, 0);
    for (std::size_t i = 0; i < n_splits; ++i) {
        if (i % kSortedAtOnce == 0) check(interrupt);
        const std::size_t left = lefts[i];
        block_of[i] = left < n_input ? static_cast<std::uint16_t>(left / kBlock) : block_of[left - n_input];
        ++starts_[std::size_t{block_of[i]} + 1];
    }
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    std::vector<std::size_t> ends(starts_.begin(), starts_.end() - 1);  // of what is there of each block
    TokenId* const sorted_rights = room_for(sorted_rights_, n_splits);
    std::uint32_t* const sorted_lefts = room_for(sorted_lefts_, n_splits);
    for (std::size_t i = 0; i < n_splits; ++i) {
        if (i % kSortedAtOnce == 0) check(interrupt);
        const std::size_t left = lefts[i], block = block_of[i];
        const std::size_t at = ends[block]++;
        const auto n_here = static_cast<std::uint32_t>(std::min(kBlock, n_input - block * kBlock));
        sorted_rights[at] = rights[i];
        sorted_lefts[at] = left < n_input ? static_cast<std::uint32_t>(left % kBlock) : n_here + lefts[left - n_input];
        lefts[i] = static_cast<std::uint32_t>(at - starts_[block]);  // from here on its place in the block
    }
}

}  // namespace fissile
