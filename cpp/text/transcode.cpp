#include "text/transcode.hpp"

#include <cstring>

namespace fissile {

namespace {

// ASCII units at the front of `units`, copied out eight at a time; how many there were.
template <class Unit>
std::size_t copy_ascii(const Unit* units, std::size_t n, std::uint8_t* out) noexcept {
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        Unit any = 0;
        for (std::size_t k = 0; k < 8; ++k) any |= units[i + k];
        if (any >= 0x80) break;
        for (std::size_t k = 0; k < 8; ++k) out[i + k] = static_cast<std::uint8_t>(units[i + k]);
    }
    for (; i < n && units[i] < 0x80; ++i) out[i] = static_cast<std::uint8_t>(units[i]);
    return i;
}

// Writes one code point from 0x80 on; four bytes of room, returns the bytes that count.
inline std::size_t put(std::uint32_t c, std::uint8_t* out) noexcept {
    if (c < 0x800) {
        out[0] = static_cast<std::uint8_t>(0xc0 | c >> 6);
        out[1] = static_cast<std::uint8_t>(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = static_cast<std::uint8_t>(0xe0 | c >> 12);
        out[1] = static_cast<std::uint8_t>(0x80 | (c >> 6 & 0x3f));
        out[2] = static_cast<std::uint8_t>(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = static_cast<std::uint8_t>(0xf0 | c >> 18);
    out[1] = static_cast<std::uint8_t>(0x80 | (c >> 12 & 0x3f));
    out[2] = static_cast<std::uint8_t>(0x80 | (c >> 6 & 0x3f));
    out[3] = static_cast<std::uint8_t>(0x80 | (c & 0x3f));
    return 4;
}

template <class Unit>
Transcoded transcode(const Unit* units, std::size_t n, std::uint8_t* out) noexcept {
    std::uint8_t* const begin = out;
    for (std::size_t i = 0; i < n;) {
        if (units[i] < 0x80) {
            const std::size_t n_ascii = copy_ascii(units + i, n - i, out);
            i += n_ascii;
            out += n_ascii;
            continue;
        }
        const std::uint32_t c = units[i];
        if (c >= 0xd800 && c < 0xe000) return {static_cast<std::size_t>(out - begin), i};
        out += put(c, out);
        ++i;
    }
    return {static_cast<std::size_t>(out - begin), Transcoded::npos};
}

}  // namespace

Transcoded utf8_from_latin1(const std::uint8_t* units, std::size_t n, std::uint8_t* out) noexcept {
    return transcode(units, n, out);
}
Transcoded utf8_from_ucs2(const std::uint16_t* units, std::size_t n, std::uint8_t* out) noexcept {
    return transcode(units, n, out);
}
Transcoded utf8_from_ucs4(const std::uint32_t* units, std::size_t n, std::uint8_t* out) noexcept {
    return transcode(units, n, out);
}

}  // namespace fissile
