// Python strings to UTF-8 with AVX2: the bytes of four code points in half a register, shuffled together.
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

#include <immintrin.h>

#include <array>

#include "text/transcode.hpp"

#define FISSILE_TARGET "avx2,bmi,bmi2,popcnt,lzcnt"
#include "cpu/target_region.hpp"

namespace fissile {
namespace {

constexpr std::size_t kGroup = 8;

// Where the bytes of four code points come from. The index has bit k and bit 4 + k of code point k: its size, less one.
struct Shuffle {
    alignas(16) std::array<std::uint8_t, 16> from;
};
constexpr std::array<Shuffle, 256> make_shuffles() {
    std::array<Shuffle, 256> shuffles{};
    for (unsigned index = 0; index < 256; ++index) {
        std::size_t at = 0;
        for (unsigned k = 0; k < 4; ++k) {
            const unsigned last = (index >> k & 1) + 2 * (index >> (4 + k) & 1);
            for (unsigned byte = 0; byte <= last; ++byte) {
                shuffles[index].from[at++] = static_cast<std::uint8_t>(4 * k + byte);
            }
        }
        while (at < 16) shuffles[index].from[at++] = 0x80;
    }
    return shuffles;
}
constexpr std::array<Shuffle, 256> kShuffles = make_shuffles();

__m256i code_points(const std::uint8_t* units) noexcept {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(units)));
}
__m256i code_points(const std::uint16_t* units) noexcept {
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(units)));
}
__m256i code_points(const std::uint32_t* units) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(units));
}

__m256i all(std::uint32_t number) noexcept { return _mm256_set1_epi32(static_cast<int>(number)); }

unsigned bits(__m256i lanes) noexcept { return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes))); }

std::size_t press(__m128i words, unsigned index, std::uint8_t* out) noexcept {
    const __m128i from = _mm_load_si128(reinterpret_cast<const __m128i*>(kShuffles[index].from.data()));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(words, from));
    return 4 + static_cast<std::size_t>(__builtin_popcount(index & 15) + 2 * __builtin_popcount(index >> 4));
}

// Writes eight code points and returns how many bytes they are; 0 if one is a surrogate.
std::size_t put_group(__m256i c, std::uint8_t* out) noexcept {
    const __m256i surrogate = _mm256_cmpeq_epi32(_mm256_and_si256(c, all(0xfffff800)), all(0xd800));
    if (_mm256_testz_si256(surrogate, surrogate) == 0) return 0;
    // Code points are below 2^31, so signed comparisons do.
    const __m256i over_1 = _mm256_cmpgt_epi32(c, all(0x7f)), over_2 = _mm256_cmpgt_epi32(c, all(0x7ff)),
                  over_3 = _mm256_cmpgt_epi32(c, all(0xffff));
    const __m256i last = _mm256_and_si256(c, all(0x3f)), next = _mm256_and_si256(c, all(0xfc0));
    const __m256i two =
        _mm256_or_si256(_mm256_or_si256(all(0x80c0), _mm256_srli_epi32(c, 6)), _mm256_slli_epi32(last, 8));
    const __m256i three = _mm256_or_si256(_mm256_or_si256(all(0x8080e0), _mm256_srli_epi32(c, 12)),
                                          _mm256_or_si256(_mm256_slli_epi32(next, 2), _mm256_slli_epi32(last, 16)));
    __m256i words = _mm256_blendv_epi8(_mm256_blendv_epi8(c, two, over_1), three, over_2);
    if (_mm256_testz_si256(over_3, over_3) == 0) {
        const __m256i above = _mm256_srli_epi32(_mm256_and_si256(c, all(0x3f000)), 4);
        const __m256i four = _mm256_or_si256(
            _mm256_or_si256(all(0x808080f0), _mm256_srli_epi32(c, 18)),
            _mm256_or_si256(above, _mm256_or_si256(_mm256_slli_epi32(next, 10), _mm256_slli_epi32(last, 24))));
        words = _mm256_blendv_epi8(words, four, over_3);
    }
    const unsigned ones = bits(over_1) ^ bits(over_2) ^ bits(over_3), twos = bits(over_2);
    const std::size_t n = press(_mm256_castsi256_si128(words), (ones & 15) | (twos & 15) << 4, out);
    return n + press(_mm256_extracti128_si256(words, 1), ones >> 4 | (twos & 0xf0), out + n);
}

// Copies 32 units if all are ASCII.
bool copy_ascii(const std::uint8_t* units, std::uint8_t* out) noexcept {
    const __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(units));
    if (_mm256_movemask_epi8(c) != 0) return false;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), c);
    return true;
}
bool copy_ascii(const std::uint16_t* units, std::uint8_t* out) noexcept {
    const auto* const from = reinterpret_cast<const __m256i*>(units);
    const __m256i a = _mm256_loadu_si256(from), b = _mm256_loadu_si256(from + 1);
    if (_mm256_testz_si256(_mm256_or_si256(a, b), _mm256_set1_epi16(static_cast<short>(0xff80))) == 0) return false;
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), packed);
    return true;
}
bool copy_ascii(const std::uint32_t* units, std::uint8_t* out) noexcept {
    const auto* const from = reinterpret_cast<const __m256i*>(units);
    const __m256i a = _mm256_loadu_si256(from), b = _mm256_loadu_si256(from + 1), c = _mm256_loadu_si256(from + 2),
                  d = _mm256_loadu_si256(from + 3);
    const __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
    if (_mm256_testz_si256(any, all(0xffffff80)) == 0) return false;
    const __m256i packed = _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_permutevar8x32_epi32(packed, order));
    return true;
}

template <class Unit>
Transcoded transcode(const Unit* units, std::size_t n, std::uint8_t* out) noexcept {
    std::uint8_t* const begin = out;
    std::size_t i = 0;
    while (n - i >= 32) {
        if (copy_ascii(units + i, out)) {
            i += 32;
            out += 32;
            continue;
        }
        std::size_t n_bytes = 1;
        for (const std::size_t end = i + 32; i < end && n_bytes != 0; i += kGroup) {
            n_bytes = put_group(code_points(units + i), out);
            if (n_bytes == 0) break;
            out += n_bytes;
        }
        if (n_bytes == 0) break;
    }
    return rest_of_transcode(units, n, i, begin, out);
}

}  // namespace

const TranscodeKernels kTranscodeAvx2 = {transcode<std::uint8_t>, transcode<std::uint16_t>, transcode<std::uint32_t>};

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
