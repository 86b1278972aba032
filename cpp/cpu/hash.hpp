// Hashing of keys held in registers and of byte strings, for tables inside one process.
// The 128-bit product of two mixed words, folded: the multiply-fold step known from wyhash. Not for hostile keys alone:
// every table bounds its probes, so a bad distribution costs speed and never an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

namespace fissile {

inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
#if defined(_M_X64)
    std::uint64_t high;
    const std::uint64_t low = _umul128(a, b, &high);
    return low ^ high;
#else
    return (a * b) ^ __umulh(a, b);
#endif
#else
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#endif
}

inline constexpr std::uint64_t kHashSeed1 = 0x9e3779b97f4a7c15u;
inline constexpr std::uint64_t kHashSeed2 = 0xd6e8feb86659fd93u;

inline std::uint64_t hash_words(std::uint64_t a, std::uint64_t b) noexcept {
    return fold_multiply(a ^ kHashSeed1, b ^ kHashSeed2);
}

// The first n_bytes (0 to 8) of text as a little-endian word, upper bytes zero; reads nothing beyond them.
// Two overlapping loads in place of a byte loop: where they overlap they agree, so an or joins them.
inline std::uint64_t load_word(const std::uint8_t* text, std::size_t n_bytes) noexcept {
    if (n_bytes >= 4) {
        std::uint32_t first, last;
        std::memcpy(&first, text, 4);
        std::memcpy(&last, text + n_bytes - 4, 4);
        return first | std::uint64_t{last} << (8 * (n_bytes - 4));
    }
    if (n_bytes == 0) return 0;
    const std::size_t middle = n_bytes / 2;
    return std::uint64_t{text[0]} | std::uint64_t{text[middle]} << (8 * middle) |
           std::uint64_t{text[n_bytes - 1]} << (8 * (n_bytes - 1));
}

inline std::uint64_t hash_bytes(const std::uint8_t* text, std::size_t n_bytes) noexcept {
    std::uint64_t hash = n_bytes * kHashSeed1;
    while (n_bytes > 16) {
        std::uint64_t a, b;
        std::memcpy(&a, text, 8);
        std::memcpy(&b, text + 8, 8);
        hash = hash_words(a ^ hash, b);
        text += 16;
        n_bytes -= 16;
    }
    if (n_bytes > 8) {
        std::uint64_t a;
        std::memcpy(&a, text, 8);
        return hash_words(a ^ hash, load_word(text + 8, n_bytes - 8));
    }
    return hash_words(load_word(text, n_bytes) ^ hash, kHashSeed1);
}

}  // namespace fissile
