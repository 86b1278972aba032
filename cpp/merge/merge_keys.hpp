// Merging short pieces of bytes that are told by their keys, many at a time.
//
// Random text is made of pieces of a few bytes, each met once, and of as many different lengths as there are. So what
// is done beside merging takes the same steps for every length: a key is spelt in one go, and the ids that are left are
// moved together in one go, where the ISA can.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base.hpp"
#include "merge/piece_key.hpp"
#include "vocab/merge_results.hpp"
#include "vocab/pair_ranks.hpp"

namespace fissile {

// Symbols of the bytes of a vocabulary over bytes; or of ASCII characters, with kNoToken where one is no symbol.
struct ByteSymbols {
    const TokenId* symbols;
    const std::uint32_t* pair_ranks;  // of each two, the left one above the bits of the right one
    unsigned n_bits;                  // of a symbol's number: 8, or 7

    TokenId byte_symbol(std::uint8_t byte) const noexcept { return symbols[byte]; }
    std::uint32_t byte_pair_rank(std::uint8_t left, std::uint8_t right) const noexcept {
        return pair_ranks[std::size_t{left} << n_bits | right];
    }
};

// The ids of a piece, and zeros up to four.
struct MergedKey {
    static constexpr std::size_t kZeros = 4;
    TokenId ids[16];
};

// Merges pieces of 1 to 15 bytes; n_ids[i] are left of piece i. None: some byte of it is no symbol. MergeKernels has
// one.
using MergeKeys = void (*)(const PairRanks& pairs, MergeResults results, ByteSymbols symbols, const PieceKey* keys,
                           std::size_t n, MergedKey* merged, std::uint8_t* n_ids) noexcept;

}  // namespace fissile
