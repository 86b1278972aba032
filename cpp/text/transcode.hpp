// The three forms of a Python str (code points in 1, 2 or 4 bytes) to UTF-8, without the copy CPython would keep.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fissile {

struct Transcoded {
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
    std::size_t n_written;
    std::size_t bad_index;  // of the first lone surrogate, or npos
};

// Room to give beyond 2, 3 or 4 bytes a unit: the fast paths write whole words.
inline constexpr std::size_t kTranscodeSlack = 64;

Transcoded utf8_from_latin1(const std::uint8_t* units, std::size_t n, std::uint8_t* out) noexcept;
Transcoded utf8_from_ucs2(const std::uint16_t* units, std::size_t n, std::uint8_t* out) noexcept;
Transcoded utf8_from_ucs4(const std::uint32_t* units, std::size_t n, std::uint8_t* out) noexcept;

}  // namespace fissile
