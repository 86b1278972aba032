// Whether a character belongs to a word: \w of Rust's regular expressions (Unicode 16.0), which decides where added
// tokens of single words are found. Not for hot loops.
#pragma once

#include <cstdint>

namespace fissile {

bool is_word_character(std::uint32_t code_point) noexcept;

}  // namespace fissile
