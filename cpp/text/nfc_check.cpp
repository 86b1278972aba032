#include "text/nfc_check.hpp"

#include <cstring>

#include "text/unicode_class.hpp"
#include "text/utf8.hpp"

namespace fissile {

bool is_nfc_quick(Bytes text) noexcept {
    const std::uint8_t* p = text.data();
    const std::uint8_t* const end = p + text.size();
    while (p < end) {
        std::uint64_t word;
        while (end - p >= 8) {
            std::memcpy(&word, p, 8);
            if ((word & 0x8080808080808080u) != 0) break;
            p += 8;
        }
        if (p == end) return true;
        // Below U+0300 nothing composes or reorders.
        if (*p < 0xcc) {
            p += *p < 0xc2 ? 1 : 2;
            continue;
        }
        const Char c = decode_char(p, static_cast<std::size_t>(end - p));
        if (c.code_point != kInvalid && (char_flags(c.code_point) & kNfcUnsafe) != 0) return false;
        p += c.n_bytes;
    }
    return true;
}

}  // namespace fissile
