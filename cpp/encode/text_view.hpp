// A text as its owner holds it, and as UTF-8.
#pragma once

#include <cstdint>
#include <memory>

#include "base.hpp"
#include "cpu/interrupt.hpp"

namespace fissile {

enum class TextKind : std::uint8_t {
    kUtf8,    // bytes, valid UTF-8 or not
    kLatin1,  // the three forms of a Python str
    kUcs2,
    kUcs4,
};

// A view of a text; its owner outlives it.
struct TextView {
    const void* data = nullptr;
    std::size_t length = 0;  // in units of the kind
    TextKind kind = TextKind::kUtf8;

    std::size_t max_utf8_bytes() const {
        static constexpr std::size_t kPerUnit[] = {1, 2, 3, 4};
        return length * kPerUnit[static_cast<std::size_t>(kind)];
    }
    // Byte or code point at i.
    std::uint32_t unit(std::size_t i) const {
        switch (kind) {
            case TextKind::kUcs2:
                return static_cast<const std::uint16_t*>(data)[i];
            case TextKind::kUcs4:
                return static_cast<const std::uint32_t*>(data)[i];
            default:
                return static_cast<const std::uint8_t*>(data)[i];
        }
    }
    // Units [begin, end).
    TextView part(std::size_t begin, std::size_t end) const;
};

// Memory that a text is converted into, kept for the next one. Not zeroed: a long text's pages are touched once.
struct Utf8Buffer {
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t capacity = 0;
};

// The text as UTF-8: itself, or converted into `buffer`. Throws Error at a lone surrogate, naming its index, counted
// from `first_index`.
Bytes utf8_of(const TextView& text, Utf8Buffer& buffer, std::size_t first_index = 0, Interrupt* interrupt = nullptr);

}  // namespace fissile
