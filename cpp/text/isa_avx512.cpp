// Python strings to UTF-8 with AVX-512: the bytes of sixteen code points in a register, pressed together.
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

// gcc 12 warns of its own headers' deliberately undefined registers.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include "text/transcode.hpp"

#define FISSILE_TARGET "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi,bmi2,popcnt,lzcnt"
#include "cpu/target_region.hpp"

namespace fissile {
namespace {

constexpr std::size_t kGroup = 16;

__m512i code_points(const std::uint16_t* units) noexcept {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(units)));
}
__m512i code_points(const std::uint32_t* units) noexcept { return _mm512_loadu_si512(units); }

__m512i all(std::uint32_t number) noexcept { return _mm512_set1_epi32(static_cast<int>(number)); }

// The bytes that count are those that are not zero, and the first of each code point.
std::size_t press(__m512i words, __m512i firsts, std::uint8_t* out) noexcept {
    const __mmask64 bytes = _mm512_test_epi8_mask(_mm512_or_si512(words, firsts), _mm512_set1_epi8(-1));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(bytes, words));
    return static_cast<std::size_t>(__builtin_popcountll(bytes));
}

// Writes sixteen code points and returns how many bytes they are; 0 if one is a surrogate.
template <bool kFourBytes>
std::size_t put_group(__m512i c, std::uint8_t* out) noexcept {
    if (_mm512_cmpeq_epi32_mask(_mm512_and_si512(c, all(0xfffff800)), all(0xd800)) != 0) return 0;
    const __m512i last = _mm512_and_si512(c, all(0x3f));
    const __m512i next = _mm512_and_si512(c, all(0xfc0));
    const __m512i two =
        _mm512_or_si512(_mm512_or_si512(all(0x80c0), _mm512_srli_epi32(c, 6)), _mm512_slli_epi32(last, 8));
    const __m512i three = _mm512_or_si512(_mm512_or_si512(all(0x8080e0), _mm512_srli_epi32(c, 12)),
                                          _mm512_or_si512(_mm512_slli_epi32(next, 2), _mm512_slli_epi32(last, 16)));
    __m512i words = _mm512_mask_mov_epi32(c, _mm512_cmpge_epu32_mask(c, all(0x80)), two);
    words = _mm512_mask_mov_epi32(words, _mm512_cmpge_epu32_mask(c, all(0x800)), three);
    if constexpr (kFourBytes) {
        const __m512i above = _mm512_srli_epi32(_mm512_and_si512(c, all(0x3f000)), 4);
        const __m512i four = _mm512_or_si512(
            _mm512_or_si512(all(0x808080f0), _mm512_srli_epi32(c, 18)),
            _mm512_or_si512(above, _mm512_or_si512(_mm512_slli_epi32(next, 10), _mm512_slli_epi32(last, 24))));
        words = _mm512_mask_mov_epi32(words, _mm512_cmpge_epu32_mask(c, all(0x10000)), four);
    }
    return press(words, all(1), out);
}

template <class Unit>
std::size_t copy_ascii(const Unit* units, std::uint8_t* out) noexcept;

template <>
std::size_t copy_ascii(const std::uint16_t* units, std::uint8_t* out) noexcept {
    const __m512i c = _mm512_loadu_si512(units);
    if (_mm512_test_epi16_mask(c, _mm512_set1_epi16(static_cast<short>(0xff80))) != 0) return 0;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi16_epi8(c));
    return 32;
}
template <>
std::size_t copy_ascii(const std::uint32_t* units, std::uint8_t* out) noexcept {
    const __m512i c = _mm512_loadu_si512(units), d = _mm512_loadu_si512(units + 16);
    if (_mm512_test_epi32_mask(_mm512_or_si512(c, d), all(0xffffff80)) != 0) return 0;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(c));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16), _mm512_cvtepi32_epi8(d));
    return 32;
}

template <class Unit>
Transcoded transcode(const Unit* units, std::size_t n, std::uint8_t* out) noexcept {
    std::uint8_t* const begin = out;
    std::size_t i = 0;
    while (n - i >= 2 * kGroup) {
        if (const std::size_t n_ascii = copy_ascii(units + i, out); n_ascii != 0) {
            i += n_ascii;
            out += n_ascii;
            continue;
        }
        const std::size_t first = put_group<sizeof(Unit) == 4>(code_points(units + i), out);
        if (first == 0) break;
        i += kGroup;
        out += first;
        const std::size_t second = put_group<sizeof(Unit) == 4>(code_points(units + i), out);
        if (second == 0) break;
        i += kGroup;
        out += second;
    }
    return rest_of_transcode(units, n, i, begin, out);
}

// Two bytes at most, so thirty-two at once.
Transcoded transcode_latin1(const std::uint8_t* units, std::size_t n, std::uint8_t* out) noexcept {
    std::uint8_t* const begin = out;
    std::size_t i = 0;
    while (n - i >= 64) {
        const __m512i bytes = _mm512_loadu_si512(units + i);
        if (_mm512_movepi8_mask(bytes) == 0) {
            _mm512_storeu_si512(out, bytes);
            out += 64;
        } else {
            for (std::size_t half = 0; half < 64; half += 32) {
                const __m512i c =
                    _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(units + i + half)));
                const __m512i two = _mm512_or_si512(
                    _mm512_or_si512(_mm512_set1_epi16(static_cast<short>(0x80c0)), _mm512_srli_epi16(c, 6)),
                    _mm512_slli_epi16(_mm512_and_si512(c, _mm512_set1_epi16(0x3f)), 8));
                const __mmask32 wide = _mm512_cmpge_epu16_mask(c, _mm512_set1_epi16(0x80));
                out += press(_mm512_mask_mov_epi16(c, wide, two), _mm512_set1_epi16(1), out);
            }
        }
        i += 64;
    }
    return rest_of_transcode(units, n, i, begin, out);
}

}  // namespace

const TranscodeKernels kTranscodeAvx512 = {transcode_latin1, transcode<std::uint16_t>, transcode<std::uint32_t>};

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
