// The mask scanners for AVX-512 with byte compress (Ice Lake, Zen 4 and later).
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

// gcc 12 warns of its own headers' deliberately undefined registers.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <bit>
#include <cstdint>
#include <type_traits>

#include "cpu/prefetch.hpp"
#include "pretokenize/cut_classes.hpp"
#include "pretokenize/scan_scalar.hpp"
#include "pretokenize/scanners.hpp"

#define FISSILE_TARGET "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi,bmi2,popcnt,lzcnt"
#include "cpu/target_region.hpp"

namespace fissile {
namespace {

struct Block {
    __m512i v;

    static Block load(const std::uint8_t* text) { return {_mm512_loadu_si512(text)}; }
    // The first n < 64 bytes, zeros after them; reads nothing else.
    static Block load_partial(const std::uint8_t* text, std::size_t n) {
        return {_mm512_maskz_loadu_epi8((std::uint64_t{1} << n) - 1, text)};
    }
    std::uint64_t eq(char c) const { return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(c)); }
    std::uint64_t in_range(unsigned low, unsigned high) const {
        return _mm512_cmple_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8(static_cast<char>(low))),
                                      _mm512_set1_epi8(static_cast<char>(high - low)));
    }
    std::uint64_t letters() const { return Block{_mm512_or_si512(v, _mm512_set1_epi8(0x20))}.in_range('a', 'z'); }
    bool any_high() const { return _mm512_movepi8_mask(v) != 0; }

    // table[byte & 127] of each byte.
    __m512i look_up(const std::uint8_t table[128]) const {
        return _mm512_permutex2var_epi8(_mm512_load_si512(table), v, _mm512_load_si512(table + 64));
    }
    // Where a byte of this block and the one at the same place of `right` are not joined.
    std::uint64_t unjoined(const Block& right, const CutClasses& classes) const {
        __m512i l = look_up(classes.left), r = right.look_up(classes.right);
        const std::uint64_t wide_left = _mm512_movepi8_mask(v), wide_right = _mm512_movepi8_mask(right.v);
        if ((wide_left | wide_right) != 0) {
            l = _mm512_mask_mov_epi8(l, wide_left, _mm512_set1_epi8(static_cast<char>(CutClasses::kWideLeft)));
            r = _mm512_mask_mov_epi8(r, wide_right, _mm512_set1_epi8(static_cast<char>(classes.right_lead)));
            r = _mm512_mask_mov_epi8(r, right.in_range(0x80, 0xbf), _mm512_set1_epi8(-1));
        }
        return _mm512_testn_epi8_mask(l, r);
    }
};

// base + the position of each set bit, ascending; may write up to 64 entries.
inline void flatten(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) {
    alignas(64) static constexpr std::uint8_t kPositions[64] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    __m512i positions = _mm512_maskz_compress_epi8(mask, _mm512_load_si512(kPositions));
    const __m512i bases = _mm512_set1_epi32(static_cast<int>(base));
    // Most blocks have around 16 bits: 32 are written whatever there are, and more are an exception.
    const __m128i first = _mm512_castsi512_si128(positions), second = _mm512_extracti32x4_epi32(positions, 1);
    _mm512_storeu_si512(out, _mm512_add_epi32(_mm512_cvtepu8_epi32(first), bases));
    _mm512_storeu_si512(out + 16, _mm512_add_epi32(_mm512_cvtepu8_epi32(second), bases));
    for (int left = static_cast<int>(std::popcount(mask)) - 32; left > 0; left -= 16) {
        positions = _mm512_alignr_epi64(_mm512_setzero_si512(), positions, 2);
        const __m128i next = _mm512_extracti32x4_epi32(positions, 1);
        out += 16;
        _mm512_storeu_si512(out + 16, _mm512_add_epi32(_mm512_cvtepu8_epi32(next), bases));
    }
}

#include "pretokenize/mask_bits.hpp"
#include "pretokenize/mask_runs.hpp"
#include "pretokenize/scan_cuts.hpp"
#include "pretokenize/wide_groups.hpp"

#include "pretokenize/block_classes.hpp"
#include "pretokenize/long_runs.hpp"
#include "pretokenize/scan_masks.hpp"
#include "pretokenize/scan_masks_deepseek.hpp"
#include "pretokenize/scan_masks_superbpe.hpp"

#include "pretokenize/mask_scanners.hpp"

}  // namespace

const Scanners kScannersAvx512 = mask_scanners(scan_cuts);

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
