// Where a corpus falls into sequences, and where its pretokens may be looked for independently.
//
// A sequence is a line with its ending, as `tokenizers` reads files, or a whole document. They give different
// pretokens: white space that goes over the end of a line is one run in a document.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base.hpp"
#include "encode/text_view.hpp"
#include "pretokenize/pretokenizer.hpp"

namespace fissile {

enum class Sequence : std::uint8_t { kLine, kDocument };

// Knows the places for one pattern and one kind of sequence.
class SequenceRule {
   public:
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);

    // may_divide: false if no text is to be divided (a special token has a place inside where one might be).
    SequenceRule(Pattern pattern, Sequence sequence, bool may_divide);

    // Whether any text may be divided anywhere.
    bool may_divide() const { return may_divide_; }

    // Whether the text may be divided at unit i, 0 < i < length, with the same pretokens on both sides: where a line
    // ends, or in a document between a letter or number (superbpe: a number) and a space or newline, which no pretoken
    // joins, and where what is on the right looks to the left like the end of the text.
    bool divides(const TextView& text, std::size_t i) const;

    // First such place in [from, text.size()), from > 0, or npos.
    std::size_t first_division(Bytes text, std::size_t from) const;
    // Last such place in (0, text.size()), or 0.
    std::size_t last_division(Bytes text) const;

    // End of the sequence that begins at `begin`.
    std::size_t sequence_end(Bytes text, std::size_t begin) const;

   private:
    static constexpr std::size_t kBlock = 64;
    bool may_divide_in(const std::uint8_t* bytes) const;

    Sequence sequence_;
    std::uint8_t ends_;  // see ends_before_space
    bool may_divide_;
};

}  // namespace fissile
