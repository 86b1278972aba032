// The table of characters of a SentencePiece model (precompiled_charsmap), and the normalisation around it.
//
// The table is a trie (darts-clone, a double array of 32-bit units) from strings to offsets into a block of
// NUL-terminated replacements. Nothing in it is trusted: every step stays inside its arrays.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base.hpp"

namespace fissile {

class CharsMap {
   public:
    // Of an empty table: replaces nothing.
    CharsMap() = default;
    // Throws FileError, which begins with `source`, if the parts do not fit into the table.
    CharsMap(Bytes table, const std::string& source);

    struct Match {
        std::size_t n_bytes = 0;  // of the text; 0: nothing is replaced here
        std::string_view replacement;
    };
    // The longest entry that the text begins with, as SentencePiece takes it.
    Match longest(Bytes text) const noexcept;
    // The shortest one, as `tokenizers` does.
    Match shortest(Bytes text) const noexcept;

   private:
    template <class Visit>
    void visit_prefixes(Bytes text, const Visit& visit) const noexcept;
    bool replacement_at(std::uint32_t offset, std::string_view& replacement) const noexcept;

    std::vector<std::uint32_t> units_;
    std::string replacements_;
};

struct SentencePieceOptions {
    bool add_dummy_prefix = true;
    bool remove_extra_whitespaces = false;
    bool whitespace_as_suffix = false;  // the dummy space goes behind the text
};

// normalizer.cc of SentencePiece. Spaces stay spaces, and U+2581 becomes one, as the core takes the two for one symbol.
class SentencePieceNormalizer {
   public:
    // `protected_pieces` are left as they are: user-defined pieces, spelt as in the model.
    SentencePieceNormalizer(CharsMap map, std::vector<std::string> protected_pieces, SentencePieceOptions options);

    // Bytes that are not UTF-8 stay as they are. `sources`, if not nullptr, gets for each byte the character of the
    // text that it stands for.
    void normalize(Bytes text, std::vector<std::uint8_t>& normalized, std::vector<std::int64_t>* sources) const;

   private:
    // What the text begins with, and what becomes of it.
    CharsMap::Match prefix(Bytes text) const noexcept;

    CharsMap map_;
    std::array<std::vector<std::string>, 256> protected_;  // by first byte, longest first
    SentencePieceOptions options_;
};

}  // namespace fissile
