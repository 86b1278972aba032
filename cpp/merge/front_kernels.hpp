// What is done with every span, for many at a time: the look into the front table, and the ids of what was found.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base.hpp"
#include "cpu/isa.hpp"
#include "merge/front_table.hpp"

namespace fissile {

struct FrontKernels {
    // Spans to look up: span i ends at ends[i] of `text`, which is shorter than 4 GiB, and the first begins at `begin`.
    struct Spans {
        Bytes text;
        std::size_t begin;
        const std::uint32_t* ends;
        std::size_t n;
    };
    // Spans that are not in the table, one after the other: which they are, and their keys.
    struct Missed {
        std::uint32_t* index;
        std::uint64_t *low, *high;
    };
    // pieces[i]: the entry of span i, or what stands in its place. What is missed is written to `missed`, which has
    // room for kSpare more. Returns how many.
    static constexpr std::size_t kSpare = 8;
    std::size_t (*look_up)(const FrontTable& table, const Spans& spans, const FoundPiece** pieces,
                           const Missed& missed) noexcept;
    // A bit for each of at most 64 spans: whether it is too long for a key. Spans as for look_up.
    std::uint64_t (*too_long)(std::size_t begin, const std::uint32_t* ends, std::size_t n) noexcept;
    // Writes the ids of pieces one behind the other, until one has its ids elsewhere; returns how many pieces, and
    // moves `out` on. Writes beyond it, at most up to kMaxInlineIds for each of the pieces and kSpareIds.
    static constexpr std::size_t kSpareIds = 16;
    std::size_t (*append)(const FoundPiece* const* pieces, std::size_t n_pieces, TokenId*& out) noexcept;
};

// The kernels for one ISA of this machine.
const FrontKernels& front_kernels_for(Isa isa);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const FrontKernels kFrontAvx512;
#endif

}  // namespace fissile
