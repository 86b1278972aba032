// Runs of ASCII letters, or of one byte, eight bytes at a time: what most of most texts is made of.
//
// A byte's answer is the top bit of its place in a word (Warren, Hacker's Delight, chapter 6).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "base.hpp"

namespace fissile {

namespace ascii {

inline constexpr std::uint64_t kTops = 0x8080808080808080u, kOnes = 0x0101010101010101u;

constexpr bool is_letter(std::uint8_t byte) { return static_cast<std::uint8_t>((byte | 0x20) - 'a') < 26; }

// Which of eight bytes are letters, and which are spaces.
constexpr std::uint64_t letters_of(std::uint64_t bytes) {
    const std::uint64_t lower = (bytes | kOnes * 0x20) & ~kTops;
    return (lower + kOnes * (0x80 - 'a')) & ~(lower + kOnes * (0x7f - 'z')) & ~bytes & kTops;
}
constexpr std::uint64_t spaces_of(std::uint64_t bytes) {
    const std::uint64_t others = bytes ^ (kOnes * ' ');
    return ~((others & ~kTops) + ~kTops) & ~others & kTops;
}

inline bool eight_at(const std::uint8_t* bytes, std::uint64_t& word) {
    if constexpr (std::endian::native != std::endian::little) return false;
    std::memcpy(&word, bytes, 8);
    return true;
}

// The first place from i on that is no letter.
inline std::size_t letters_end(Bytes text, std::size_t i) {
    for (std::uint64_t word; i + 8 <= text.size() && eight_at(text.data() + i, word); i += 8) {
        const std::uint64_t stops = ~letters_of(word) & kTops;
        if (stops != 0) return i + static_cast<std::size_t>(std::countr_zero(stops)) / 8;
    }
    while (i < text.size() && is_letter(text[i])) ++i;
    return i;
}

// The first place behind i that has another byte.
inline std::size_t row_end(Bytes text, std::size_t i) {
    const std::uint8_t byte = text[i++];
    for (std::uint64_t word; i + 8 <= text.size() && eight_at(text.data() + i, word); i += 8) {
        const std::uint64_t others = word ^ (kOnes * byte);
        if (others != 0) return i + static_cast<std::size_t>(std::countr_zero(others)) / 8;
    }
    while (i < text.size() && text[i] == byte) ++i;
    return i;
}

// The first place from i on that is no letter, nor a space in front of one.
inline std::size_t words_end(Bytes text, std::size_t i) {
    for (std::uint64_t word; i + 8 <= text.size() && eight_at(text.data() + i, word);) {
        const std::uint64_t letters = letters_of(word);
        // What follows the last byte is seen in the next word.
        const std::uint64_t stops = ~(letters | (spaces_of(word) & letters >> 8)) & kTops;
        const std::size_t n = stops == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(stops)) / 8;
        i += n;
        if (n < 7) return i;
    }
    while (i + 1 < text.size() && (is_letter(text[i]) || (text[i] == ' ' && is_letter(text[i + 1])))) ++i;
    return i;
}

}  // namespace ascii

}  // namespace fissile
