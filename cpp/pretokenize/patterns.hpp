// The published patterns, each as the switches in which it differs from the others of its family.
//
// Most of them cut text into runs of letters, numbers, other characters and white space. A scanner is written once over
// these switches (scan_scalar.hpp, scan_masks.hpp) and compiled for each pattern. superbpe (scan_superbpe.hpp) and
// deepseek_v3 are built differently and have scanners of their own.
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

// '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
struct Gpt2 {
    static constexpr Contractions kContractions = Contractions::kLowerCase;
    static constexpr LetterPrefix kLetterPrefix = LetterPrefix::kSpace;
    static constexpr bool kCasedLetters = false;  // words end where lower case turns to upper
    static constexpr int kMaxDigits = 0;          // 0: any number, and ' ' may lead them
    static constexpr OtherTail kOtherTail = OtherTail::kNone;
    static constexpr bool kNewlinesEndSpace = false;  // \s*[\r\n]+ before \s+(?!\S)
    static constexpr bool kFinalSpaceWhole = false;   // \s++$ first of all
};

// '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s
struct Cl100k {
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

// With U = \p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}, W = \p{Ll}\p{Lm}\p{Lo}\p{M} and C = (?i:'s|'t|'re|'ve|'m|'ll|'d)?
// [^\r\n\p{L}\p{N}]?[U]*[W]+C|[^\r\n\p{L}\p{N}]?[U]+[W]*C|\p{N}{1,3}|
// ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
struct O200k : Llama3 {
    static constexpr Contractions kContractions = Contractions::kSuffix;
    static constexpr bool kCasedLetters = true;
    static constexpr OtherTail kOtherTail = OtherTail::kNewlinesSlashes;
};

// Stage two of SuperBPE: matches isolated, and what lies between them whole.
// \p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)
struct Superbpe {
    static constexpr bool kCasedLetters = false;
    static constexpr int kMaxDigits = 3;
    static constexpr OtherTail kOtherTail = OtherTail::kNewlinesSlashes;
};

}  // namespace fissile::patterns
