// The quick check against its definition in UAX #15, with every code point; that it is right about NFC is tested in
// Python, beside a normaliser (tests/text/test_nfc.py).
#include <cstdint>
#include <string>
#include <string_view>

#include "check.hpp"
#include "text/nfc_check.hpp"
#include "text/transcode.hpp"
#include "text/unicode_class.hpp"

namespace {

using namespace std::string_view_literals;

std::string utf8(std::u32string_view text) {
    std::string out(text.size() * 4 + fissile::kTranscodeSlack, '\0');
    const fissile::Transcoded done = fissile::transcode_kernels_for(fissile::Isa::kScalar)
                                         .ucs4(reinterpret_cast<const std::uint32_t*>(text.data()), text.size(),
                                               reinterpret_cast<std::uint8_t*>(out.data()));
    out.resize(done.n_written);
    return out;
}

bool is_nfc(std::u32string_view text) { return fissile::is_nfc_quick(fissile::as_bytes(utf8(text))); }

void each_code_point_passes_as_its_class_says() {
    for (std::uint32_t c = 0; c < 0x110000; ++c) {
        if (c >= 0xd800 && c < 0xe000) continue;
        const auto ch = static_cast<char32_t>(c);
        const bool stays = fissile::nfc_class(c) != fissile::kNfcMayChange;
        if (is_nfc(std::u32string{ch}) != stays) {
            CHECK_EQUAL(c, 0xffffffffu);  // names the code point
        }
    }
}

void marks_must_be_in_order() {
    CHECK(is_nfc(U"\u05d0\u05b0\u05bc"));        // Hebrew: classes 10, 21
    CHECK(!is_nfc(U"\u05d0\u05bc\u05b0"));       // 21, 10
    CHECK(is_nfc(U"\u05d0\u05bc\u05d0\u05b0"));  // a letter between
    CHECK(is_nfc(U"\u05bc a\u05b0"));            // ASCII between
    CHECK(is_nfc(U"\u05bc\u65e5\u05b0"));        // a character of three bytes between
    CHECK(is_nfc(U"\u05bc\U0001f600\u05b0"));    // of four
    CHECK(is_nfc(U"\u0e01\u0e34\u0e48"));        // Thai: vowel 0, tone 107
    CHECK(!is_nfc(U"\u0e01\u0e48\u0e38"));       // tone 107, vowel 103
    CHECK(!is_nfc(U"e\u0301"));                  // composes
    CHECK(is_nfc(U"\u00e9"));                    // composed
    CHECK(!is_nfc(U"\u212b"));                   // replaced by one other
    CHECK(is_nfc(U"\uac00\uac01"));              // Hangul syllables
    CHECK(!is_nfc(U"\u1100\u1161"));             // Hangul parts
}

void a_mark_is_seen_wherever_it_stands() {
    for (std::size_t before = 0; before < 140; ++before) {
        for (const char32_t filler : {U'a', U'\u00e9', U'\u65e5'}) {
            std::u32string text(before, filler);
            text += U"e\u0301";
            CHECK(!is_nfc(text));
            text.append(100, filler);
            CHECK(!is_nfc(text));
            text.erase(before + 1, 1);
            CHECK(is_nfc(text));
        }
    }
}

void bad_bytes_are_starters() {
    const auto passes = [](std::string_view bytes) { return fissile::is_nfc_quick(fissile::as_bytes(bytes)); };
    CHECK(passes(""));
    CHECK(passes("\xcc"));  // cut off
    CHECK(passes("\xe3\x82"));
    CHECK(passes("\xe0\x8c\x81"));      // U+0301 in three bytes
    CHECK(passes("\xf0\x80\x8c\x81"));  // and in four
    CHECK(passes("\xed\xa0\x80"));      // a surrogate
    CHECK(passes("\xff\xfe\x80\xbf"));
    CHECK(!passes("\x80\xcc\x81"));         // U+0301 after a stray byte
    CHECK(!passes("\xe3\x82\xcc\x81"));     // and after half a character
    CHECK(passes("\xd6\xbc\xff\xd6\xb0"));  // classes 21 and 10, a bad byte between
    CHECK(!passes("\xd6\xbc\xd6\xb0"));
}

// What next_nfc_stretch finds, each stretch in brackets.
std::string marked(std::u32string_view text) {
    const std::string bytes = utf8(text);
    std::string out;
    for (std::size_t position = 0; position < bytes.size();) {
        const fissile::NfcStretch stretch = fissile::next_nfc_stretch(fissile::as_bytes(bytes), position);
        out += bytes.substr(position, stretch.begin - position);
        if (stretch.begin == stretch.end) return out;
        out.append("[").append(bytes, stretch.begin, stretch.end - stretch.begin).append("]");
        position = stretch.end;
    }
    return out;
}

void stretches_are_no_longer_than_need_be() {
    CHECK_EQUAL(marked(U""), "");
    CHECK_EQUAL(marked(U"abc"), "abc");
    CHECK_EQUAL(marked(U"abe\u0301cd"), utf8(U"ab[e\u0301]cd"));
    CHECK_EQUAL(marked(U"\u0301ab"), utf8(U"[\u0301]ab"));
    CHECK_EQUAL(marked(U"e\u0301e\u0301be\u0301"), utf8(U"[e\u0301e\u0301]b[e\u0301]"));
    CHECK_EQUAL(marked(U"\u05d0\u05b0\u05bc\u05d0\u05bc\u05b0."), utf8(U"\u05d0\u05b0\u05bc[\u05d0\u05bc\u05b0]."));
    // U+089D and U+105D2 are newer: no mark is reordered around the one or composes with the other.
    CHECK_EQUAL(marked(U"e\u089d\u0301\u0301"), utf8(U"e\u089d[\u0301\u0301]"));
    CHECK_EQUAL(marked(U"e\u0301\u089d\u05b0"), utf8(U"[e\u0301]\u089d\u05b0"));
    CHECK_EQUAL(marked(U"\U000105d2\u0307a"), utf8(U"\U000105d2[\u0307]a"));
}

}  // namespace

int main() {
    each_code_point_passes_as_its_class_says();
    marks_must_be_in_order();
    a_mark_is_seen_wherever_it_stands();
    bad_bytes_are_starters();
    stretches_are_no_longer_than_need_be();
    return check::result();
}
