// Whether spans are too long for the piece table: such are cut before they are looked up, where that is better.
#pragma once

#include <cstddef>
#include <cstdint>

#include "merge/piece_key.hpp"

namespace fissile {

// The first span begins at `begin`; ends[i] is where span i ends. n_spans is not 0.
inline bool has_long_span(std::size_t begin, const std::uint32_t* ends, std::size_t n_spans) noexcept {
    // Mostly none is, which a loop without branches finds out several at a time.
    std::uint32_t any_long = kMaxInlinePiece - (ends[0] - static_cast<std::uint32_t>(begin));
    for (std::size_t i = 1; i < n_spans; ++i) any_long |= kMaxInlinePiece - (ends[i] - ends[i - 1]);
    return any_long >> 31 != 0;
}

}  // namespace fissile
