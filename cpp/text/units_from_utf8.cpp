#include "text/units_from_utf8.hpp"

#include <algorithm>
#include <cstring>

#include "text/utf8.hpp"

namespace fissile {

namespace {

// Never writes more units than there are bytes that begin a character: every character that is written has one such
// byte, and the first byte that is of no character ends the loop.
template <class Unit>
bool write_units(Bytes text, Unit* out) noexcept {
    constexpr std::uint64_t kNotAscii = 0x8080808080808080u;
    const std::uint8_t* at = text.data();
    const std::uint8_t* const end = at + text.size();
    while (at < end) {
        std::uint64_t word = kNotAscii;
        if (end - at >= 8) std::memcpy(&word, at, 8);
        if ((word & kNotAscii) == 0) {
            for (int i = 0; i < 8; ++i) out[i] = at[i];
            at += 8;
            out += 8;
            continue;
        }
        // The rest of this word's bytes one by one; most words hold ASCII around the one character that is not.
        const std::uint8_t* const stop = at + std::min<std::ptrdiff_t>(8, end - at);
        while (at < stop) {
            const Char c = decode_char(at, static_cast<std::size_t>(end - at));
            if (c.code_point == kInvalid) return false;
            *out++ = static_cast<Unit>(c.code_point);
            at += c.n_bytes;
        }
    }
    return true;
}

bool is_ascii(Bytes text) noexcept {
    constexpr std::size_t kBlock = 256;
    std::size_t i = 0;
    for (; i + kBlock <= text.size(); i += kBlock) {
        std::uint8_t any = 0;
        for (std::size_t k = 0; k < kBlock; ++k) any |= text[i + k];
        if (any >= 0x80) return false;
    }
    std::uint8_t any = 0;
    for (; i < text.size(); ++i) any |= text[i];
    return any < 0x80;
}

}  // namespace

Utf8Shape utf8_shape(Bytes text) noexcept {
    if (is_ascii(text)) return {text.size(), 0x7f};  // in a fraction of the time
    std::size_t n_chars = 0;
    std::uint8_t largest = 0;
    // In blocks, so that the inner loop counts in 32 bits: twice as many lanes a vector.
    constexpr std::size_t kBlock = 4096;
    for (std::size_t begin = 0; begin < text.size(); begin += kBlock) {
        const std::size_t end = std::min(text.size(), begin + kBlock);
        std::uint32_t begun = 0;
        for (std::size_t i = begin; i < end; ++i) {
            begun += (text[i] & 0xc0) != 0x80;
            largest = std::max(largest, text[i]);
        }
        n_chars += begun;
    }
    const std::uint32_t max_char = largest < 0x80 ? 0x7f : largest < 0xc4 ? 0xff : largest < 0xf0 ? 0xffff : 0x10ffff;
    return {n_chars, max_char};
}

bool units_from_utf8(Bytes text, std::uint8_t* out) noexcept { return write_units(text, out); }
bool units_from_utf8(Bytes text, std::uint16_t* out) noexcept { return write_units(text, out); }
bool units_from_utf8(Bytes text, std::uint32_t* out) noexcept { return write_units(text, out); }

}  // namespace fissile
