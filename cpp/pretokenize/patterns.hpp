// The published patterns, each as the switches in which it differs from the others of its family.
//
// All of them cut text into runs of letters, numbers, other characters and white space. A scanner is written once over
// these switches (scan_scalar.hpp, scan_masks.hpp) and compiled for each pattern. deepseek_v3 and superbpe are built
// differently and have scanners of their own; their switches are what these share with the others.
#pragma once

namespace fissile::patterns {

enum class Contractions {
    kNone,
    kLowerCase,  // 's 't 're 've 'm 'll 'd as a pretoken
    kAnyCase,    // the same under simple case folding, so U+017F is an s
    kSuffix,     // any case, as the end of the word before it
};

enum class LetterPrefix {
    kSpace,  // only ' ' may lead a run of letters
    kAny,    // [^\r\n\p{L}\p{N}]
};

enum class OtherTail {
    kNone,
    kNewlines,         // [\r\n]*
    kNewlinesSlashes,  // [\r\n/]*
};

// What a pattern takes a character for.
enum class Reading {
    kUnicode,       // what unicode_class.hpp says
    kNewerNumbers,  // numbers are those of Unicode 17.0, as to Digits of `tokenizers` (char::is_numeric of Rust)
    kMarksInWords,  // \p{M} is a letter
    kHanApart,      // letters of the script Han are neither letters of words nor others, its marks are others
};

// Switches that few patterns set.
struct Common {
    static constexpr bool kDigitsApart = false;  // each number is a text of its own
    static constexpr bool kCjkApart = false;     // ideographs and kana are a text of their own
    static constexpr bool kLines = false;        // see Lines
    static constexpr bool kHasLines = true;      // whether lines are looked for while scanning
    static constexpr Reading kReading = Reading::kUnicode;
};

// '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
struct Gpt2 : Common {
    static constexpr Contractions kContractions = Contractions::kLowerCase;
    static constexpr LetterPrefix kLetterPrefix = LetterPrefix::kSpace;
    static constexpr bool kCasedLetters = false;  // words end where lower case turns to upper
    static constexpr int kMaxDigits = 0;          // 0: any number, and ' ' may lead them
    static constexpr OtherTail kOtherTail = OtherTail::kNone;
    static constexpr bool kNewlinesEndSpace = false;  // \s*[\r\n]+ before \s+(?!\S)
    static constexpr bool kFinalSpaceWhole = false;   // \s++$ first of all
};

// As gpt2, behind Digits(individual_digits) of `tokenizers`: each number is isolated first of all.
struct Starcoder : Gpt2 {
    static constexpr int kMaxDigits = 1;
    static constexpr bool kDigitsApart = true;
    static constexpr Reading kReading = Reading::kNewerNumbers;
};

// '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s
struct Cl100k : Common {
    static constexpr Contractions kContractions = Contractions::kAnyCase;
    static constexpr LetterPrefix kLetterPrefix = LetterPrefix::kAny;
    static constexpr bool kCasedLetters = false;
    static constexpr int kMaxDigits = 3;
    static constexpr OtherTail kOtherTail = OtherTail::kNewlines;
    static constexpr bool kNewlinesEndSpace = true;
    static constexpr bool kFinalSpaceWhole = true;
};

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
struct Llama3 : Cl100k {
    static constexpr bool kFinalSpaceWhole = false;
};

// As llama3, with \p{N} in place of \p{N}{1,3}.
struct Qwen2 : Llama3 {
    static constexpr int kMaxDigits = 1;
};

// As qwen2, with [\p{L}\p{M}] in place of \p{L} but for what may lead a word.
struct Qwen35 : Qwen2 {
    static constexpr Reading kReading = Reading::kMarksInWords;
};

// With U = \p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}, W = \p{Ll}\p{Lm}\p{Lo}\p{M} and C = (?i:'s|'t|'re|'ve|'m|'ll|'d)?
// [^\r\n\p{L}\p{N}]?[U]*[W]+C|[^\r\n\p{L}\p{N}]?[U]+[W]*C|\p{N}{1,3}|
// ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
struct O200k : Llama3 {
    static constexpr Contractions kContractions = Contractions::kSuffix;
    static constexpr bool kCasedLetters = true;
    static constexpr OtherTail kOtherTail = OtherTail::kNewlinesSlashes;
};

// As o200k, with \p{N} in place of \p{N}{1,3}, and without contractions.
struct Tekken : O200k {
    static constexpr Contractions kContractions = Contractions::kNone;
    static constexpr int kMaxDigits = 1;
};

// [\p{Han}]+ first of all; then as o200k with Han taken out of U and W, and without the slash.
struct KimiK2 : O200k {
    static constexpr OtherTail kOtherTail = OtherTail::kNewlines;
    static constexpr Reading kReading = Reading::kHanApart;
};

// \p{N}{1,3}, then [一-龥぀-ゟ゠-ヿ]+, then the main pattern on what lies between, each match and each gap a
// pretoken:
// [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
//   |\s*[\r\n]+|\s+(?!\S)|\s+
struct DeepseekV3 : Common {
    static constexpr bool kCasedLetters = false;
    static constexpr int kMaxDigits = 3;
    static constexpr OtherTail kOtherTail = OtherTail::kNewlines;
    static constexpr bool kNewlinesEndSpace = true;
    static constexpr bool kFinalSpaceWhole = false;
    static constexpr bool kCjkApart = true;
};

// Stage two of SuperBPE: \p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S), matches isolated, what lies between whole.
struct Superbpe : Common {
    static constexpr bool kCasedLetters = false;
    static constexpr int kMaxDigits = 3;
    static constexpr OtherTail kOtherTail = OtherTail::kNewlinesSlashes;
    static constexpr bool kHasLines = false;  // its pretokens would mostly be lines
};

// A pattern as it splits each line of a text, with its '\n', that is a text of its own.
template <class P>
struct Lines : P {
    using Whole = P;
    static constexpr bool kLines = true;
};

}  // namespace fissile::patterns
