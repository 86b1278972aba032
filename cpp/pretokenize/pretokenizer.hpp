// Text -> pretokens, by the name of a published pattern.
//
// A scanner takes a text and a position that is the start of a pretoken, and writes the ends of the
// pretokens from there on. Patterns have no look-behind, so a pretoken's start is all the state there is:
// a caller may stop after any pretoken and go on later from its end with the same result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base.hpp"
#include "cpu/isa.hpp"

namespace fissile {

enum class Pattern : std::uint8_t {
    kNone,  // the whole text is one pretoken
    kGpt2,
    kStarcoder,
    kCl100k,
    kLlama3,
    kQwen2,
    kQwen35,
    kO200k,
    kTekken,
    kKimiK2,
    kDeepseekV3,
    kSuperbpe,  // stage two of SuperBPE: matches isolated, what lies between is one pretoken
};

// Pattern of a published name or alias ("gpt2", "r50k", "cl100k", "gpt4", "cl100k_base", ...); nothing for others.
std::optional<Pattern> pattern_from_name(std::string_view name);
// Canonical name of a pattern.
std::string_view pattern_name(Pattern pattern);

// Flags (text/unicode_class.hpp) of the characters behind which a pretoken ends wherever a space or newline follows,
// which look to what is on the left like the end of the text: letters and numbers; in superbpe, which joins words,
// numbers.
std::uint8_t ends_before_space(Pattern pattern);

struct ScanResult {
    std::size_t n_spans;   // ends written
    std::size_t position;  // end of the last span, where the next call begins; equals the text's size when done
};

// Writes the ends (byte offsets from text.begin()) of the pretokens from `position` on, at most `capacity` of them
// (capacity >= 64), and may stop anywhere between pretokens before that, but never without progress.
// `text` shorter than 4 GiB. Reads no byte outside `text`.
using ScanFunction = ScanResult (*)(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity);

// The scanner for a pattern on the machine's chosen ISA (see cpu/isa.hpp).
ScanFunction scanner_for(Pattern pattern);
// The scanner for one ISA of this machine.
ScanFunction scanner_for(Pattern pattern, Isa isa);

// Scanners that take each line of a text, with its '\n', for a text of its own, at the speed of those that do not. Null
// for patterns whose pretokens would mostly be lines: their callers look for the ends of lines.
ScanFunction line_scanner_for(Pattern pattern);
ScanFunction line_scanner_for(Pattern pattern, Isa isa);

}  // namespace fissile
