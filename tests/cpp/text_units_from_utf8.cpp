// UTF-8 to code units in blocks of exactly the size asked for, so that a sanitizer sees a byte too many.
#include <algorithm>
#include <memory>
#include <random>
#include <string>

#include "check.hpp"
#include "text/units_from_utf8.hpp"
#include "text/utf8.hpp"

using namespace fissile;

namespace {

// Whether the text is valid, by decode_char; also compares the units of a valid one with its characters.
template <class Unit>
bool agrees(const std::string& text) {
    const std::size_t n = text.size();
    const auto block = std::make_unique<std::uint8_t[]>(n);
    std::copy(text.begin(), text.end(), block.get());
    const Bytes bytes(block.get(), n);
    const Utf8Shape shape = utf8_shape(bytes);
    const auto units = std::make_unique<Unit[]>(shape.n_chars);
    const bool valid = units_from_utf8(bytes, units.get());
    std::size_t at = 0, i = 0;
    while (at < n) {
        const Char c = decode_char(bytes.data() + at, n - at);
        if (c.code_point == kInvalid) return !valid;
        if (units[i] != static_cast<Unit>(c.code_point) || c.code_point > shape.max_char) return false;
        at += c.n_bytes;
        ++i;
    }
    return valid && i == shape.n_chars;
}

}  // namespace

int main() {
    const std::string parts[] = {
        "a",    "plain text", "\xc3\xa9", "\xe2\x80\x99", "\xf0\x9f\x91\x8d", "\xf0\x9f\x91", "\x80\x80\x80\x80",
        "\xff", "\xe2\x80",   "\xc3"};
    std::mt19937 random(5);
    for (int turn = 0; turn < 20000; ++turn) {
        std::string text;
        for (unsigned k = random() % 12; k != 0; --k) {
            // Mostly valid parts, so that the writing gets far.
            text += parts[random() % 8 == 0 ? random() % 10 : random() % 5];
        }
        CHECK(agrees<std::uint8_t>(text));
        CHECK(agrees<std::uint16_t>(text));
        CHECK(agrees<std::uint32_t>(text));
    }
    return check::result();
}
