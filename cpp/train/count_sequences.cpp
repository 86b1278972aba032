#include "train/count_sequences.hpp"

#include <algorithm>
#include <cstring>

#include "text/unicode_class.hpp"
#include "text/utf8.hpp"

namespace fissile {

namespace {

std::size_t after_newline(Bytes text, std::size_t from) {
    if (from >= text.size()) return SequenceRule::npos;
    const void* const found = std::memchr(text.data() + from, '\n', text.size() - from);
    if (found == nullptr) return SequenceRule::npos;
    return static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - text.data()) + 1;
}

// Flags of the character that ends at i > 0; none if the bytes before i end no character.
std::uint8_t flags_before(Bytes text, std::size_t i) {
    std::size_t begin = i - 1;
    while (begin > 0 && i - begin < 4 && (text[begin] & 0xc0) == 0x80) --begin;
    const Char c = decode_char(text.data() + begin, i - begin);
    return c.n_bytes == i - begin ? char_flags(c.code_point) : 0;
}

}  // namespace

SequenceRule::SequenceRule(Pattern pattern, Sequence sequence, bool may_divide)
    : sequence_(sequence),
      ends_(ends_before_space(pattern)),
      may_divide_(may_divide && (sequence == Sequence::kLine || ends_ != 0)) {}

bool SequenceRule::divides(const TextView& text, std::size_t i) const {
    if (!may_divide_) return false;
    const std::uint32_t left = text.unit(i - 1), right = text.unit(i);
    if (sequence_ == Sequence::kLine) return left == '\n';
    if (right != ' ' && right != '\n') return false;
    const std::uint8_t flags = text.kind == TextKind::kUtf8 && left >= 0x80
                                   ? flags_before({static_cast<const std::uint8_t*>(text.data), text.length}, i)
                                   : char_flags(left);
    return (flags & ends_) != 0;
}

std::size_t SequenceRule::first_division(Bytes text, std::size_t from) const {
    if (!may_divide_) return npos;
    if (sequence_ == Sequence::kLine) {
        const std::size_t i = after_newline(text, from - 1);
        return i < text.size() ? i : npos;
    }
    const TextView view{text.data(), text.size(), TextKind::kUtf8};
    for (std::size_t i = from; i < text.size();) {
        // In a text without numbers superbpe divides nowhere.
        while (i + kBlock <= text.size() && !may_divide_in(text.data() + i)) i += kBlock;
        for (const std::size_t end = std::min(i + kBlock, text.size()); i < end; ++i) {
            if (divides(view, i)) return i;
        }
    }
    return npos;
}

// Whether there may be a division in front of one of kBlock bytes. In a form that compilers make vectors of.
bool SequenceRule::may_divide_in(const std::uint8_t* bytes) const {
    const std::uint8_t letters = (ends_ & kLetter) != 0;
    std::uint8_t any = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
        const std::uint8_t left = bytes[static_cast<std::ptrdiff_t>(i) - 1], right = bytes[i];
        const auto lower = static_cast<std::uint8_t>((left | 0x20) - 'a'),
                   digit = static_cast<std::uint8_t>(left - '0');
        const std::uint8_t may_end = (left >> 7) | (digit < 10) | (letters & (lower < 26));
        any |= may_end & ((right == ' ') | (right == '\n'));
    }
    return any != 0;
}

std::size_t SequenceRule::last_division(Bytes text) const {
    const TextView view{text.data(), text.size(), TextKind::kUtf8};
    if (!may_divide_) return 0;
    for (std::size_t i = text.size(); i-- > 1;) {
        if (divides(view, i)) return i;
    }
    return 0;
}

std::size_t SequenceRule::sequence_end(Bytes text, std::size_t begin) const {
    const std::size_t end = sequence_ == Sequence::kDocument ? npos : after_newline(text, begin);
    return end == npos ? text.size() : end;
}

}  // namespace fissile
