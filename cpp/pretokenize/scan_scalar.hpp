// The pretokenizers in plain code: from the start of a pretoken to its end, alternative by alternative.
//
// This is the definition that the mask scanners are tested against, and what they call for text that their algebra
// leaves out. Every pretoken takes time linear in its length and in the white space or capitals that follow it, and a
// run is looked at a bounded number of times, so a text takes linear time. The patterns stand in patterns.hpp; an
// independent definition, with a regex engine, in tests/reference/pretokenize.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "pretokenize/patterns.hpp"
#include "text/ascii_words.hpp"
#include "text/unicode_class.hpp"
#include "text/utf8.hpp"

namespace fissile::scalar {

// Beside CharFlag: a letter of the script Han where that is apart.
inline constexpr std::uint8_t kHanLetter = 128;

// Flags of a character as a pattern reads it.
inline std::uint8_t flags_read(std::uint32_t code_point, patterns::Reading reading) {
    using patterns::Reading;
    const std::uint8_t flags = char_flags(code_point);
    if (reading == Reading::kNewerNumbers && is_newer_number(code_point)) return kNumber;
    if (reading == Reading::kMarksInWords && (flags & kMark) != 0) return kOtherLetter;
    if (reading == Reading::kHanApart && is_han(code_point)) {
        return (flags & kLetter) != 0 ? kHanLetter : static_cast<std::uint8_t>(flags & ~kMark);
    }
    return flags;
}

// A text and the character classes of the patterns. Positions at or beyond the end have no class at all.
struct Text {
    const std::uint8_t* bytes;
    std::size_t size;
    patterns::Reading reading;

    struct Classified {
        std::uint32_t code_point;
        std::uint32_t n_bytes;
        std::uint8_t flags;

        bool is_letter() const { return (flags & kLetter) != 0; }
        bool is_number() const { return (flags & kNumber) != 0; }
        bool is_space() const { return (flags & kSpace) != 0; }
        bool is_newline() const { return code_point == '\n' || code_point == '\r'; }
        bool is_other() const { return n_bytes != 0 && (flags & (kLetter | kNumber | kSpace | kHanLetter)) == 0; }
        bool is_upper_kind() const { return (flags & (kUpper | kOtherLetter | kMark)) != 0; }
        bool is_lower_kind() const { return (flags & (kLower | kOtherLetter | kMark)) != 0; }
    };

    Classified at(std::size_t i) const {
        if (i >= size) return {kInvalid, 0, 0};
        const Char c = decode_char(bytes + i, size - i);
        return {c.code_point, c.n_bytes, flags_read(c.code_point, reading)};
    }
};

template <class P>
Text text_of(Bytes bytes) {
    return {bytes.data(), bytes.size(), P::kReading};
}

// --- pieces that several patterns share -----------------------------------------------------------------------------

// Letters of a contraction whose apostrophe is in front of i: how many bytes, or 0.
inline std::size_t contraction_letters(const Text& text, std::size_t i, bool any_case) {
    const auto letter = [&](std::size_t at) -> std::uint32_t {
        if (at >= text.size) return 0;
        const std::uint8_t byte = text.bytes[at];
        return any_case && byte >= 'A' && byte <= 'Z' ? byte + 32u : byte;
    };
    const std::uint32_t first = letter(i), second = letter(i + 1);
    switch (first) {
        case 's':
        case 'd':
        case 'm':
        case 't':
            return 1;
        case 'l':
            return second == 'l' ? 2 : 0;
        case 'v':
        case 'r':
            return second == 'e' ? 2 : 0;
        case 0xc5:
            return any_case && second == 0xbf ? 2 : 0;  // U+017F folds to s
        default:
            return 0;
    }
}

// End of the run of characters from i on for which `in_run` holds.
template <class InRun>
std::size_t run_end(const Text& text, std::size_t i, const InRun& in_run) {
    for (auto c = text.at(i); c.n_bytes != 0 && in_run(c); c = text.at(i)) i += c.n_bytes;
    return i;
}

// White space from i on, where no alternative before \s applies. `segment_end` is where look-ahead sees the end of
// text.
template <bool kNewlinesEndSpace, bool kFinalSpaceWhole>
std::size_t space_end(const Text& text, std::size_t i, std::size_t segment_end) {
    std::size_t end = i, last = i, after_newline = i;
    for (auto c = text.at(end); end < segment_end && c.is_space(); c = text.at(end)) {
        last = end;
        end += c.n_bytes;
        if (c.is_newline()) after_newline = end;
    }
    if (kFinalSpaceWhole && end == segment_end) return end;
    if (kNewlinesEndSpace && after_newline > i) return after_newline;
    // \s+(?!\S) leaves the last character to what follows, unless it is the only one or nothing follows.
    return end == segment_end || last == i ? end : last;
}

inline bool is_other_tail(patterns::OtherTail tail, const Text::Classified& c) {
    return tail != patterns::OtherTail::kNone &&
           (c.is_newline() || (tail == patterns::OtherTail::kNewlinesSlashes && c.code_point == '/'));
}

// --- the words of o200k and tekken ----------------------------------------------------------------------------------

// End of [U]*[W]+ at i, else of [U]+[W]*, else 0: the first of the two that matches.
inline std::size_t cased_word_end(const Text& text, std::size_t i, bool lower_required) {
    std::size_t end = i, after_either = 0;
    auto c = text.at(end);
    for (; c.is_upper_kind(); c = text.at(end)) {
        end += c.n_bytes;
        if (c.is_lower_kind()) after_either = end;
    }
    if (c.is_lower_kind()) return run_end(text, end, [](const Text::Classified& x) { return x.is_lower_kind(); });
    // No lower case follows: [W]+ takes back the last character that is of both kinds.
    if (lower_required) return after_either;
    return end > i ? end : 0;
}

// With a contraction where the pattern has them.
template <class P>
std::size_t cased_pretoken_end(const Text& text, std::size_t i, const Text::Classified& first) {
    const bool prefix = !first.is_newline() && !first.is_letter() && !first.is_number();
    std::size_t end = 0;
    for (const bool lower_required : {true, false}) {
        if (end == 0 && prefix) end = cased_word_end(text, i + first.n_bytes, lower_required);
        if (end == 0) end = cased_word_end(text, i, lower_required);
    }
    if (P::kContractions == patterns::Contractions::kSuffix && end != 0 && end < text.size && text.bytes[end] == '\'') {
        const std::size_t letters = contraction_letters(text, end + 1, true);
        if (letters != 0) end += 1 + letters;
    }
    return end;
}

// --- one pretoken ---------------------------------------------------------------------------------------------------

// End of the pretoken that begins at i < text.size, of a pattern that its switches describe.
template <class P>
std::size_t family_end(const Text& text, std::size_t i) {
    using namespace patterns;
    const Text::Classified first = text.at(i);
    if constexpr (P::kContractions == Contractions::kLowerCase || P::kContractions == Contractions::kAnyCase) {
        if (first.code_point == '\'') {
            const std::size_t letters = contraction_letters(text, i + 1, P::kContractions == Contractions::kAnyCase);
            if (letters != 0) return i + 1 + letters;
        }
    }
    const auto is_letter = [](const Text::Classified& c) { return c.is_letter(); };
    const auto is_number = [](const Text::Classified& c) { return c.is_number(); };
    const auto is_other = [](const Text::Classified& c) { return c.is_other(); };
    const std::size_t second_at = i + first.n_bytes;
    const Text::Classified second = text.at(second_at);
    const bool space_first = first.code_point == ' ';
    if constexpr (P::kCasedLetters) {
        if (const std::size_t end = cased_pretoken_end<P>(text, i, first)) return end;
    } else {
        const bool prefix = P::kLetterPrefix == LetterPrefix::kSpace
                                ? space_first
                                : !first.is_newline() && !first.is_letter() && !first.is_number();
        if (first.is_letter() || (prefix && second.is_letter())) return run_end(text, second_at, is_letter);
    }
    if (first.is_number() || (P::kMaxDigits == 0 && space_first && second.is_number())) {
        if constexpr (P::kMaxDigits == 0) return run_end(text, second_at, is_number);
        std::size_t end = second_at;
        for (int n = 1; n < P::kMaxDigits; ++n) {
            const Text::Classified c = text.at(end);
            if (!c.is_number()) break;
            end += c.n_bytes;
        }
        return end;
    }
    if (first.is_other() || (space_first && second.is_other())) {
        const std::size_t end = run_end(text, second_at, is_other);
        return run_end(text, end, [](const Text::Classified& c) { return is_other_tail(P::kOtherTail, c); });
    }
    if constexpr (P::kDigitsApart) {
        const std::size_t spaces_end = run_end(text, i, [](const Text::Classified& c) { return c.is_space(); });
        if (text.at(spaces_end).is_number()) return spaces_end;
    }
    return space_end<P::kNewlinesEndSpace, P::kFinalSpaceWhole>(text, i, text.size);
}

// The same of any pattern.
template <class P>
std::size_t next_end(const Text& text, std::size_t i) {
    return family_end<P>(text, i);
}

template <>
inline std::size_t next_end<patterns::KimiK2>(const Text& text, std::size_t i) {
    const std::size_t han_end = run_end(text, i, [](const Text::Classified& c) { return is_han(c.code_point); });
    return han_end > i ? han_end : family_end<patterns::KimiK2>(text, i);
}

// --- deepseek_v3 ----------------------------------------------------------------------------------------------------

inline bool deepseek_is_cjk(const Text::Classified& c) {
    return (c.code_point >= 0x4e00 && c.code_point <= 0x9fa5) || (c.code_point >= 0x3040 && c.code_point <= 0x30ff);
}

// Where the first two splits cut, the main pattern sees the end of its text. Both sides of the second split go through
// it: most runs of that one are letters alone, but a middle dot (U+30FB) or a voiced mark (U+309B) divides them.
inline bool deepseek_ends_segment(const Text::Classified& c, bool in_cjk) {
    return c.n_bytes == 0 || c.is_number() || deepseek_is_cjk(c) != in_cjk;
}

template <>
inline std::size_t next_end<patterns::DeepseekV3>(const Text& text, std::size_t i) {
    const Text::Classified first = text.at(i);
    std::size_t end = i + first.n_bytes;
    if (first.is_number()) {
        for (int n = 1; n < 3; ++n) {
            const Text::Classified c = text.at(end);
            if (!c.is_number()) break;
            end += c.n_bytes;
        }
        return end;
    }
    const bool in_cjk = deepseek_is_cjk(first);
    const auto is_word = [in_cjk](const Text::Classified& c) {
        return (c.flags & (kLetter | kMark)) != 0 && deepseek_is_cjk(c) == in_cjk;
    };
    const auto is_punct = [in_cjk](const Text::Classified& c) {
        return (c.flags & kPunctSymbol) != 0 && deepseek_is_cjk(c) == in_cjk;
    };
    const auto is_ascii_letter = [](const Text::Classified& c) {
        return (c.code_point | 32) >= 'a' && (c.code_point | 32) <= 'z' && c.code_point < 128;
    };
    const Text::Classified second = text.at(end);
    const bool ascii_punct = first.code_point < 128 && (first.flags & kPunctSymbol) != 0;
    if (ascii_punct && is_ascii_letter(second)) return run_end(text, end, is_ascii_letter);
    const bool prefix = !first.is_newline() && (first.flags & (kLetter | kPunctSymbol)) == 0;
    if (is_word(first) || (prefix && is_word(second))) return run_end(text, end, is_word);
    if (is_punct(first) || (first.code_point == ' ' && is_punct(second))) {
        end = run_end(text, end, is_punct);
        return run_end(text, end, [in_cjk](const Text::Classified& c) { return c.is_newline() && !in_cjk; });
    }
    if (first.is_space()) {
        const std::size_t spaces_end = run_end(text, i, [](const Text::Classified& c) { return c.is_space(); });
        const bool at_segment_end = deepseek_ends_segment(text.at(spaces_end), in_cjk);
        return space_end<true, false>(text, i, at_segment_end ? spaces_end : text.size + 1);
    }
    // Characters that no alternative takes stay together up to the next one that begins a match.
    for (auto c = second; !deepseek_ends_segment(c, in_cjk); c = text.at(end)) {
        if ((c.flags & (kLetter | kMark | kPunctSymbol | kSpace)) != 0 || is_word(text.at(end + c.n_bytes))) break;
        end += c.n_bytes;
    }
    return end;
}

// --- superbpe -------------------------------------------------------------------------------------------------------

// End of a match that begins at i, or 0.
inline std::size_t superbpe_match_end(const Text& text, std::size_t i, const Text::Classified& first) {
    const auto is_other = [](const Text::Classified& c) { return c.is_other(); };
    std::size_t end = i + first.n_bytes;
    if (first.is_number()) return next_end<patterns::Cl100k>(text, i);
    const Text::Classified second = text.at(end);
    const bool space_first = first.code_point == ' ';
    if ((first.is_other() && second.is_other()) ||
        (space_first && second.is_other() && text.at(end + second.n_bytes).is_other())) {
        end = run_end(text, end, is_other);
        return run_end(text, end, [](const Text::Classified& c) {
            return is_other_tail(patterns::OtherTail::kNewlinesSlashes, c);
        });
    }
    if (!space_first) return 0;
    while (end < text.size && text.bytes[end] == ' ') ++end;
    const Text::Classified next = text.at(end);
    if (next.n_bytes == 0 || next.is_space()) return end;
    return end - 1 > i ? end - 1 : 0;
}

// The first place from i on where a match begins, or the text's end.
inline std::size_t superbpe_next_match(const Text& text, std::size_t i) {
    for (;;) {
        // No match begins with a letter, or with a space in front of one: most of a text needs no more than this.
        i = ascii::words_end({text.bytes, text.size}, i);
        const Text::Classified c = text.at(i);
        if (c.n_bytes == 0 || superbpe_match_end(text, i, c) != 0) return i;
        i += c.n_bytes;
    }
}

template <>
inline std::size_t next_end<patterns::Superbpe>(const Text& text, std::size_t i) {
    const Text::Classified first = text.at(i);
    if (const std::size_t end = superbpe_match_end(text, i, first)) return end;
    return superbpe_next_match(text, i + first.n_bytes);
}

// --- lines ----------------------------------------------------------------------------------------------------------

// Ends of the pretokens of P from place to place upwards; where lines are apart, as if the text ended with each line.
template <class P>
class Pretokens {
   public:
    explicit Pretokens(const Text& text) : text_(text) {}

    // End of the one that begins at i < text.size.
    std::size_t end_of(std::size_t i) {
        if constexpr (!P::kLines) {
            return next_end<P>(text_, i);
        } else {
            using Whole = typename P::Whole;
            // A long line is not searched to its end: what decides on a pretoken lies within a character of its end.
            constexpr std::size_t kNear = 256, kBehind = 8;
            if (ends_line(i, i + kNear)) return next_end<Whole>(line(), i);
            const std::size_t end = next_end<Whole>(text_, i);
            return ends_line(i, end + kBehind) ? next_end<Whole>(line(), i) : end;
        }
    }

   private:
    // Whether the line of place i ends in front of `to`, or is known to end behind it.
    bool ends_line(std::size_t i, std::size_t to) {
        if (line_end_ > i) return true;
        searched_ = searched_ > i ? searched_ : i;
        to = to < text_.size ? to : text_.size;
        if (searched_ >= to) return false;
        const void* const found = std::memchr(text_.bytes + searched_, '\n', to - searched_);
        searched_ = to;
        if (found == nullptr) return false;
        line_end_ = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - text_.bytes) + 1;
        searched_ = line_end_;
        return true;
    }

    // The text up to the end of the line looked at last.
    Text line() const { return {text_.bytes, line_end_, text_.reading}; }

    Text text_;
    std::size_t line_end_ = 0;  // of the line looked at last, if it was found
    std::size_t searched_ = 0;  // no line ends between the place looked at last and here
};

}  // namespace fissile::scalar
