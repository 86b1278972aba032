#include "encode/text_view.hpp"

#include <algorithm>
#include <utility>

#include "text/transcode.hpp"

namespace fissile {

namespace {

// Units converted between two looks at an interrupt.
constexpr std::size_t kUnitsAtOnce = std::size_t{1} << 18;

Transcoded transcode(const TextView& text, std::uint8_t* out) {
    static const TranscodeKernels& kernels = transcode_kernels_for(chosen_isa());
    switch (text.kind) {
        case TextKind::kLatin1:
            return kernels.latin1(static_cast<const std::uint8_t*>(text.data), text.length, out);
        case TextKind::kUcs2:
            return kernels.ucs2(static_cast<const std::uint16_t*>(text.data), text.length, out);
        default:
            return kernels.ucs4(static_cast<const std::uint32_t*>(text.data), text.length, out);
    }
}

}  // namespace

TextView TextView::part(std::size_t begin, std::size_t end) const {
    const std::size_t offset = TextView{data, begin, kind}.n_bytes();
    return {static_cast<const std::uint8_t*>(data) + offset, end - begin, kind};
}

std::uint8_t* Utf8Buffer::room(std::size_t n_bytes) {
    if (!has_room(n_bytes)) {
        size_ = 0;
        if (bytes_.n_bytes() < n_bytes) {
            HugeBuffer::recycle(std::move(bytes_));
            bytes_ = HugeBuffer::with_any_contents(std::max(n_bytes, least_));
        }
    }
    return static_cast<std::uint8_t*>(bytes_.data()) + size_;
}

std::size_t utf8_room(const TextView& text) {
    return text.kind == TextKind::kUtf8 ? 0 : text.max_utf8_bytes() + kTranscodeSlack;
}

Bytes utf8_of(const TextView& text, Utf8Buffer& buffer, std::size_t first_index, Interrupt* interrupt) {
    if (text.kind == TextKind::kUtf8) return {static_cast<const std::uint8_t*>(text.data), text.length};
    std::uint8_t* const out = buffer.room(utf8_room(text));
    std::size_t n_written = 0;
    for (std::size_t begin = 0; begin < text.length; begin += kUnitsAtOnce) {
        if (interrupt != nullptr && begin != 0) interrupt->check_now();
        const TextView part = text.part(begin, std::min(text.length, begin + kUnitsAtOnce));
        const Transcoded result = transcode(part, out + n_written);
        if (result.bad_index != Transcoded::npos) {
            throw Error("lone surrogate at character " + std::to_string(first_index + begin + result.bad_index) +
                        "; text must be encodable as UTF-8 (pass bytes to encode it as it is)");
        }
        n_written += result.n_written;
    }
    return {out, n_written};
}

}  // namespace fissile
