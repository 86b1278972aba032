// Decoding one code point of UTF-8, total on any bytes.
// A byte that starts no well-formed sequence (Unicode 16, table 3-7) is a character of its own:
// one byte long, code point kInvalid, which has no class flags.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fissile {

inline constexpr std::uint32_t kInvalid = 0xffffffffu;

struct Char {
    std::uint32_t code_point;  // kInvalid for a byte that starts no sequence
    std::uint32_t n_bytes;     // 1 to 4
};

// Character at text[0]; n_left >= 1 is the number of readable bytes.
inline Char decode_char(const std::uint8_t* text, std::size_t n_left) {
    const std::uint32_t b0 = text[0];
    if (b0 < 0x80) return {b0, 1};
    if (b0 < 0xc2 || b0 > 0xf4 || n_left < 2) return {kInvalid, 1};
    const std::uint32_t b1 = text[1];
    if ((b1 & 0xc0) != 0x80) return {kInvalid, 1};
    if (b0 < 0xe0) return {(b0 & 0x1f) << 6 | (b1 & 0x3f), 2};
    if (n_left < 3 || (text[2] & 0xc0) != 0x80) return {kInvalid, 1};
    const std::uint32_t b2 = text[2];
    if (b0 < 0xf0) {
        const std::uint32_t c = (b0 & 0xf) << 12 | (b1 & 0x3f) << 6 | (b2 & 0x3f);
        if (c < 0x800 || (c >= 0xd800 && c < 0xe000)) return {kInvalid, 1};
        return {c, 3};
    }
    if (n_left < 4 || (text[3] & 0xc0) != 0x80) return {kInvalid, 1};
    const std::uint32_t c = (b0 & 0x7) << 18 | (b1 & 0x3f) << 12 | (b2 & 0x3f) << 6 | (text[3] & 0x3f);
    if (c < 0x10000 || c >= 0x110000) return {kInvalid, 1};
    return {c, 4};
}

}  // namespace fissile
