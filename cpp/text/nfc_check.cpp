// The quick check of UAX #15, section 9: a text is in NFC if no character's NFC_Quick_Check is No or Maybe and the
// combining classes within each run of marks do not fall. Nearly all text passes, Thai, Hebrew and Hindi with their
// marks included, so that the costly path (decode, compose, encode) is for text that needs it.
//
// Below U+0300 nothing matters, and text without a lead byte above that is passed over by the stride (10 GB/s). Other
// characters are looked up one by one, with no branch on what they are (1 GB/s of Chinese, Russian or Korean).
#include "text/nfc_check.hpp"

#include <cstring>

#include "text/unicode_class.hpp"
#include "text/utf8.hpp"

namespace fissile {

namespace {

constexpr std::ptrdiff_t kStride = 64;
constexpr std::uint8_t kFirstLead = 0xcc;  // of U+0300, below which nothing composes or is reordered

// Whether no byte of p[0..kStride) is kFirstLead or more, eight bytes a word.
inline bool all_below_first_lead(const std::uint8_t* p) noexcept {
    constexpr std::uint64_t kEach = 0x0101010101010101u;
    std::uint64_t any = 0;
    for (std::ptrdiff_t k = 0; k < kStride; k += 8) {
        std::uint64_t word;
        std::memcpy(&word, p + k, sizeof word);
        // The seven low bits carry into the eighth from kFirstLead - 0x80 on.
        any |= ((word & 0x7f * kEach) + (0x100 - kFirstLead) * kEach) & word;
    }
    return (any & 0x80 * kEach) == 0;
}

struct CharNfc {
    std::uint8_t nfc_class;
    std::uint8_t n_bytes;
};

// The character at p, whose lead byte is kFirstLead or more: decode_char, with short cuts for well-formed ones of two
// and three bytes.
inline CharNfc char_at(const std::uint8_t* p, std::ptrdiff_t n_left) noexcept {
    const std::uint32_t lead = p[0];
    // A continuation byte less its tag is below 0x40.
    if (lead >= 0xe0 && lead < 0xf0 && n_left >= 3) {
        const std::uint32_t second = p[1] ^ 0x80u, third = p[2] ^ 0x80u;
        const std::uint32_t c = (lead & 0xf) << 12 | second << 6 | third;
        if ((second | third) < 0x40 && c >= 0x800) return {nfc_class(c), 3};
    } else if (lead < 0xe0 && n_left >= 2) {
        const std::uint32_t second = p[1] ^ 0x80u;
        if (second < 0x40) return {nfc_class((lead & 0x1f) << 6 | second), 2};
    }
    const Char c = decode_char(p, static_cast<std::size_t>(n_left));
    return {nfc_class(c.code_point), static_cast<std::uint8_t>(c.n_bytes)};
}

constexpr bool is_starter(std::uint8_t nfc_class) noexcept { return nfc_class == 0 || nfc_class == kNfcNewer; }

// Whether a character that is no starter may change after one of class `last`.
constexpr bool may_change_after(std::uint8_t last, std::uint8_t nfc_class) noexcept {
    return nfc_class == kNfcMayChange || nfc_class < last;
}

struct Segment {
    std::size_t end;
    bool may_change;
};

// A starter and what follows it up to the next; NFC is local to these. One that composes with nothing stands alone.
Segment segment_at(Bytes text, std::size_t position) noexcept {
    const auto char_from = [&](std::size_t at) { return decode_char(text.data() + at, text.size() - at); };
    const Char first = char_from(position);
    std::uint8_t last_class = nfc_class(first.code_point);
    Segment segment{position + first.n_bytes, last_class == kNfcMayChange};
    if (last_class == kNfcNewer || first.code_point == kInvalid) return segment;
    while (segment.end < text.size()) {
        const Char c = char_from(segment.end);
        const std::uint8_t next_class = nfc_class(c.code_point);
        if (is_starter(next_class)) break;
        segment.may_change |= may_change_after(last_class, next_class);
        last_class = next_class;
        segment.end += c.n_bytes;
    }
    return segment;
}

}  // namespace

bool is_nfc_quick(Bytes text) noexcept {
    const std::uint8_t* p = text.data();
    const std::uint8_t* const end = p + text.size();
    std::uint8_t last_class = 0;
    while (p < end) {
        if (*p < kFirstLead) {
            while (end - p >= kStride && all_below_first_lead(p)) p += kStride;
            while (p < end && *p < kFirstLead) ++p;  // also the rest of a character that a stride has cut
            last_class = 0;
            continue;
        }
        const CharNfc c = char_at(p, end - p);
        const bool starter = is_starter(c.nfc_class);
        if (!starter && may_change_after(last_class, c.nfc_class)) return false;
        last_class = starter ? 0 : c.nfc_class;
        p += c.n_bytes;
    }
    return true;
}

NfcStretch next_nfc_stretch(Bytes text, std::size_t position) noexcept {
    const auto skip_while = [&](bool may_change) {
        while (position < text.size()) {
            const Segment segment = segment_at(text, position);
            if (segment.may_change != may_change) break;
            position = segment.end;
        }
        return position;
    };
    const std::size_t begin = skip_while(false);
    return {begin, skip_while(true)};
}

}  // namespace fissile
