// What a short piece is told by in tables: its bytes and its length in 16 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu/hash.hpp"

namespace fissile {

inline constexpr std::size_t kMaxInlinePiece = 15;

struct PieceKey {
    std::uint64_t low;   // bytes 0 to 7
    std::uint64_t high;  // bytes 8 to 14, and the length in the last byte
};

// The key of every piece of more than kMaxInlinePiece bytes. No entry matches it: its length is 0 in the lower half of
// the last byte, where its other bytes are not, and more than any piece has in the whole of that byte.
inline constexpr PieceKey kTooLong{0, std::uint64_t{0xf0} << 56 | ~std::uint64_t{0} >> 8};

namespace piece_key_detail {
struct Masks {
    std::uint64_t low, high, or_high;
};
struct MaskTable {
    Masks by_length[17];  // 16: too long for a key
};
constexpr MaskTable make_masks() {
    MaskTable table{};
    for (unsigned length = 0; length < 16; ++length) {
        const auto ones = [](unsigned n) { return n >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * n)) - 1; };
        table.by_length[length] = {ones(length), length > 8 ? ones(length - 8) : 0, std::uint64_t{length} << 56};
    }
    table.by_length[16] = {0, 0, kTooLong.high};
    return table;
}
inline constexpr MaskTable kMasks = make_masks();
}  // namespace piece_key_detail

// Key of text[0, n_bytes); 16 bytes from `text` on can be read.
inline PieceKey piece_key_from_16(const std::uint8_t* text, std::size_t n_bytes) noexcept {
    const auto& m = piece_key_detail::kMasks.by_length[n_bytes < 16 ? n_bytes : 16];
    PieceKey key;
    std::memcpy(&key, text, 16);
    key.low &= m.low;
    key.high = (key.high & m.high) | m.or_high;
    return key;
}

// Key of text[0, n_bytes); reads nothing else.
inline PieceKey piece_key(const std::uint8_t* text, std::size_t n_bytes) noexcept {
    if (n_bytes > kMaxInlinePiece) return kTooLong;
    const std::size_t n_low = n_bytes < 8 ? n_bytes : 8;
    return {load_word(text, n_low), load_word(text + n_low, n_bytes - n_low) | std::uint64_t{n_bytes} << 56};
}

}  // namespace fissile
