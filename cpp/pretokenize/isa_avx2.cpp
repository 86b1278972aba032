// The mask scanners for AVX2 (Haswell, Zen and later).
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

#include <immintrin.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/prefetch.hpp"
#include "pretokenize/cut_classes.hpp"
#include "pretokenize/scan_scalar.hpp"
#include "pretokenize/scanners.hpp"

#define FISSILE_TARGET "avx2,bmi,bmi2,popcnt"
#include "cpu/target_region.hpp"

namespace fissile {
namespace {

struct Block {
    __m256i a, b;

    static Block load(const std::uint8_t* text) {
        return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(text)),
                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 32))};
    }
    // The first n < 64 bytes, zeros after them; reads nothing else.
    static Block load_partial(const std::uint8_t* text, std::size_t n) {
        std::uint8_t padded[64] = {};
        std::memcpy(padded, text, n);
        return load(padded);
    }
    static std::uint64_t join(__m256i low, __m256i high) {
        return static_cast<std::uint32_t>(_mm256_movemask_epi8(low)) |
               std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(high))} << 32;
    }
    std::uint64_t eq(char c) const {
        const __m256i wanted = _mm256_set1_epi8(c);
        return join(_mm256_cmpeq_epi8(a, wanted), _mm256_cmpeq_epi8(b, wanted));
    }
    std::uint64_t in_range(unsigned low, unsigned high) const {
        const __m256i first = _mm256_set1_epi8(static_cast<char>(low));
        const __m256i size = _mm256_set1_epi8(static_cast<char>(high - low));
        const __m256i x = _mm256_sub_epi8(a, first), y = _mm256_sub_epi8(b, first);
        return join(_mm256_cmpeq_epi8(_mm256_min_epu8(x, size), x), _mm256_cmpeq_epi8(_mm256_min_epu8(y, size), y));
    }
    std::uint64_t letters() const {
        const __m256i small = _mm256_set1_epi8(0x20);
        return Block{_mm256_or_si256(a, small), _mm256_or_si256(b, small)}.in_range('a', 'z');
    }
    bool any_high() const { return _mm256_movemask_epi8(_mm256_or_si256(a, b)) != 0; }

    // table[byte & 127] of each byte: by its lower half in eight rows of 16, and by three bits of its upper half among
    // the rows.
    static __m256i look_up(const std::uint8_t table[128], __m256i x) {
        const __m256i column = _mm256_and_si256(x, _mm256_set1_epi8(15));
        __m256i row[8];
        for (int i = 0; i < 8; ++i) {
            const __m128i entries = _mm_load_si128(reinterpret_cast<const __m128i*>(table) + i);
            row[i] = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries), column);
        }
        for (int n = 4, shift = 3; n >= 1; n /= 2, --shift) {
            const __m256i odd = _mm256_slli_epi16(x, shift);  // the bit that tells two rows apart, uppermost
            for (int i = 0; i < n; ++i) row[i] = _mm256_blendv_epi8(row[2 * i], row[2 * i + 1], odd);
        }
        return row[0];
    }
    static __m256i unjoined(__m256i left, __m256i right, const CutClasses& classes) {
        const __m256i wide_left = _mm256_set1_epi8(static_cast<char>(CutClasses::kWideLeft));
        const __m256i lead = _mm256_set1_epi8(static_cast<char>(classes.right_lead));
        const __m256i l = _mm256_blendv_epi8(look_up(classes.left, left), wide_left, left);
        __m256i r = _mm256_blendv_epi8(look_up(classes.right, right), lead, right);
        // 0x80 to 0xbf, as signed numbers all below 0xc0: all classes.
        r = _mm256_or_si256(r, _mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(0xc0)), right));
        return _mm256_cmpeq_epi8(_mm256_and_si256(l, r), _mm256_setzero_si256());
    }
    // Where a byte of this block and the one at the same place of `right` are not joined.
    std::uint64_t unjoined(const Block& right, const CutClasses& classes) const {
        return join(unjoined(a, right.a, classes), unjoined(b, right.b, classes));
    }
};

#include "pretokenize/flatten_bits.hpp"
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

const Scanners kScannersAvx2 = mask_scanners(scan_cuts);

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
