// The byte-level alphabet of GPT-2: each byte stands as one printable character in a tokenizer.json.
// Printable Latin-1 bytes stand for themselves, the other 68 for U+0100 and up, in order.
#pragma once

#include <array>
#include <cstdint>

namespace fissile {

struct ByteAlphabet {
    std::array<std::uint16_t, 256> char_of{};  // byte -> code point
    std::array<std::int16_t, 324> byte_of{};   // code point -> byte, or -1
};

constexpr ByteAlphabet make_byte_alphabet() {
    ByteAlphabet alphabet;
    alphabet.byte_of.fill(-1);
    std::uint16_t next = 256;
    for (int byte = 0; byte < 256; ++byte) {
        const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        const std::uint16_t c = printable ? static_cast<std::uint16_t>(byte) : next++;
        alphabet.char_of[static_cast<std::size_t>(byte)] = c;
        alphabet.byte_of[c] = static_cast<std::int16_t>(byte);
    }
    return alphabet;
}

inline constexpr ByteAlphabet kByteAlphabet = make_byte_alphabet();

}  // namespace fissile
