// UTF-8 to the three forms of a Python str: code points in 1, 2 or 4 bytes.
//
// CPython's own decoder leaves its fast path for good at the first character that is not ASCII; this one comes back to
// it after every such character. Two passes: what the text needs, by sums and maxima that compilers vectorise, then the
// characters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base.hpp"

namespace fissile {

struct Utf8Shape {
    std::size_t n_chars;
    std::uint32_t max_char;  // 0x7f, 0xff, 0xffff or 0x10ffff: the smallest of these that no character exceeds
};

// True of valid UTF-8; for other bytes the numbers mean nothing.
Utf8Shape utf8_shape(Bytes text) noexcept;

// Writes the characters to `out`, which has room for utf8_shape(text).n_chars units that hold its max_char.
// False, with `out` partly written, if the text is not valid UTF-8.
bool units_from_utf8(Bytes text, std::uint8_t* out) noexcept;
bool units_from_utf8(Bytes text, std::uint16_t* out) noexcept;
bool units_from_utf8(Bytes text, std::uint32_t* out) noexcept;

}  // namespace fissile
