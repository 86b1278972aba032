// Thirty-two or eight ASCII units at a time are narrowed (loops that compilers turn into vector code); a group of eight
// that holds anything else is written unit by unit, each as one word of which only the bytes that count are kept.
// Groups, and not runs, because a space between two words of Russian is not worth the change of path.
#include "text/transcode.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace fissile {

namespace {

static_assert(std::endian::native == std::endian::little, "words are written with their first byte lowest");

constexpr std::size_t kGroup = 8;

template <std::size_t n_units, class Unit>
inline bool all_ascii(const Unit* units) noexcept {
    Unit any = 0;
    for (std::size_t k = 0; k < n_units; ++k) any |= units[k];
    return any < 0x80;
}

// Copies the ASCII units at the front, whole groups of them, and returns how many there were.
template <std::size_t n_units, class Unit>
inline std::size_t narrow_groups(const Unit* units, std::size_t n, std::uint8_t* out) noexcept {
    std::size_t i = 0;
    for (; n - i >= n_units && all_ascii<n_units>(units + i); i += n_units) {
        for (std::size_t k = 0; k < n_units; ++k) out[i + k] = static_cast<std::uint8_t>(units[i + k]);
    }
    return i;
}

// Writes a code point that is no surrogate. Up to four bytes are touched; the number that counts is returned.
inline std::size_t put(std::uint32_t c, std::uint8_t* out) noexcept {
    const std::uint32_t last = c & 0x3f;
    if (c < 0x800) {
        // ASCII and two bytes share a path: in the text of most alphabets they take turns.
        const bool ascii = c < 0x80;
        const auto word = static_cast<std::uint16_t>(ascii ? c : (0x80c0 | c >> 6 | last << 8));
        std::memcpy(out, &word, sizeof word);
        return ascii ? 1 : 2;
    }
    if (c < 0x10000) {
        const std::uint32_t word = 0x8080e0 | c >> 12 | (c & 0xfc0) << 2 | last << 16;
        std::memcpy(out, &word, sizeof word);
        return 3;
    }
    const std::uint32_t word = 0x808080f0 | c >> 18 | (c & 0x3f000) >> 4 | (c & 0xfc0) << 10 | last << 24;
    std::memcpy(out, &word, sizeof word);
    return 4;
}

}  // namespace

template <class Unit>
Transcoded rest_of_transcode(const Unit* units, std::size_t n, std::size_t i, std::uint8_t* begin,
                             std::uint8_t* out) noexcept {
    while (i < n) {
        if (n - i >= kGroup && all_ascii<kGroup>(units + i)) {
            const std::size_t n_long = narrow_groups<4 * kGroup>(units + i, n - i, out);
            const std::size_t n_ascii =
                n_long + narrow_groups<kGroup>(units + i + n_long, n - i - n_long, out + n_long);
            i += n_ascii;
            out += n_ascii;
        }
        for (const std::size_t group_end = std::min(i + kGroup, n); i < group_end; ++i) {
            const std::uint32_t c = units[i];
            if ((c & 0xfffff800u) == 0xd800) return {static_cast<std::size_t>(out - begin), i};
            out += put(c, out);
        }
    }
    return {static_cast<std::size_t>(out - begin), Transcoded::npos};
}

template Transcoded rest_of_transcode(const std::uint8_t*, std::size_t, std::size_t, std::uint8_t*,
                                      std::uint8_t*) noexcept;
template Transcoded rest_of_transcode(const std::uint16_t*, std::size_t, std::size_t, std::uint8_t*,
                                      std::uint8_t*) noexcept;
template Transcoded rest_of_transcode(const std::uint32_t*, std::size_t, std::size_t, std::uint8_t*,
                                      std::uint8_t*) noexcept;

namespace {

template <class Unit>
Transcoded transcode(const Unit* units, std::size_t n, std::uint8_t* out) noexcept {
    return rest_of_transcode(units, n, 0, out, out);
}

const TranscodeKernels kTranscodeScalar = {transcode<std::uint8_t>, transcode<std::uint16_t>, transcode<std::uint32_t>};

}  // namespace

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
const TranscodeKernels& transcode_kernels_for(Isa isa) {
    if (isa == Isa::kAvx512) return kTranscodeAvx512;
    return isa == Isa::kAvx2 ? kTranscodeAvx2 : kTranscodeScalar;
}
#else
const TranscodeKernels& transcode_kernels_for(Isa) { return kTranscodeScalar; }
#endif

}  // namespace fissile
