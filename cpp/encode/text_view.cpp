#include "encode/text_view.hpp"

#include <algorithm>

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
    static constexpr std::size_t kUnitBytes[] = {1, 1, 2, 4};
    const std::size_t offset = begin * kUnitBytes[static_cast<std::size_t>(kind)];
    return {static_cast<const std::uint8_t*>(data) + offset, end - begin, kind};
}

Bytes utf8_of(const TextView& text, Utf8Buffer& buffer, std::size_t first_index, Interrupt* interrupt) {
    if (text.kind == TextKind::kUtf8) return {static_cast<const std::uint8_t*>(text.data), text.length};
    const std::size_t needed = text.max_utf8_bytes() + kTranscodeSlack;
    if (buffer.capacity < needed) {
        buffer.bytes.reset(new std::uint8_t[needed]);
        buffer.capacity = needed;
    }
    std::size_t n_written = 0;
    for (std::size_t begin = 0; begin < text.length; begin += kUnitsAtOnce) {
        if (interrupt != nullptr && begin != 0) interrupt->check_now();
        const TextView part = text.part(begin, std::min(text.length, begin + kUnitsAtOnce));
        const Transcoded result = transcode(part, buffer.bytes.get() + n_written);
        if (result.bad_index != Transcoded::npos) {
            throw Error("lone surrogate at character " + std::to_string(first_index + begin + result.bad_index) +
                        "; text must be encodable as UTF-8 (pass bytes to encode it as it is)");
        }
        n_written += result.n_written;
    }
    return {buffer.bytes.get(), n_written};
}

}  // namespace fissile
