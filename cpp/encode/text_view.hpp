// A text as its owner holds it, and as UTF-8.
#pragma once

#include <cstdint>

#include "base.hpp"
#include "cpu/huge_buffer.hpp"
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

    std::size_t n_bytes() const {
        static constexpr std::size_t kPerUnit[] = {1, 1, 2, 4};
        return length * kPerUnit[static_cast<std::size_t>(kind)];
    }
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

// Memory that texts are converted into, one behind the other as long as they are kept. Not zeroed: a long text's pages
// are touched once.
class Utf8Buffer {
   public:
    // Allocates at least so many bytes when it allocates.
    explicit Utf8Buffer(std::size_t least = 0) : least_(least) {}

    bool has_room(std::size_t n_bytes) const { return bytes_.n_bytes() - size_ >= n_bytes; }
    // Where n_bytes can be written, behind what is kept; where there is no room for them, nothing is kept any more.
    std::uint8_t* room(std::size_t n_bytes);
    // The first bytes of the room given last.
    void keep(std::size_t n_bytes) { size_ += n_bytes; }

   private:
    HugeBuffer bytes_;
    std::size_t size_ = 0, least_;
};

// The room that utf8_of asks for: none for a text that is UTF-8.
std::size_t utf8_room(const TextView& text);

// The text as UTF-8: itself, or converted into `buffer`, where it is not kept. Throws Error at a lone surrogate, naming
// its index, counted from `first_index`.
Bytes utf8_of(const TextView& text, Utf8Buffer& buffer, std::size_t first_index = 0, Interrupt* interrupt = nullptr);

}  // namespace fissile
