// Byte offsets in a text -> offsets in characters, as slicing a Python str counts them.
#pragma once

#include <cstdint>
#include <span>

#include "base.hpp"

namespace fissile {

// What an offset inside a character becomes: the offset before that character, or after it.
enum class InsideChar { kBefore, kAfter };

// Replaces ascending byte offsets (0 to text.size()) by offsets in code points, in one pass over the text. A byte that
// is not UTF-8 counts as one character (see text/utf8.hpp), as it does after bytes.decode(errors="surrogateescape").
void char_offsets(Bytes text, std::span<std::int64_t> offsets, InsideChar inside) noexcept;

}  // namespace fissile
