// The mask scanners for plain x86-64.
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

#include <emmintrin.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/prefetch.hpp"
#include "pretokenize/scan_scalar.hpp"
#include "pretokenize/scanners.hpp"

namespace fissile {
namespace {

struct Block {
    __m128i v[4];

    static Block load(const std::uint8_t* text) {
        Block block;
        for (int i = 0; i < 4; ++i) block.v[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text) + i);
        return block;
    }
    // The first n < 64 bytes, zeros after them; reads nothing else.
    static Block load_partial(const std::uint8_t* text, std::size_t n) {
        std::uint8_t padded[64] = {};
        std::memcpy(padded, text, n);
        return load(padded);
    }
    static std::uint64_t bits(__m128i x, int i) {
        return std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(x))} << (16 * i);
    }
    std::uint64_t eq(char c) const {
        const __m128i wanted = _mm_set1_epi8(c);
        std::uint64_t mask = 0;
        for (int i = 0; i < 4; ++i) mask |= bits(_mm_cmpeq_epi8(v[i], wanted), i);
        return mask;
    }
    std::uint64_t in_range(unsigned low, unsigned high) const {
        const __m128i first = _mm_set1_epi8(static_cast<char>(low));
        const __m128i size = _mm_set1_epi8(static_cast<char>(high - low));
        std::uint64_t mask = 0;
        for (int i = 0; i < 4; ++i) {
            const __m128i x = _mm_sub_epi8(v[i], first);
            mask |= bits(_mm_cmpeq_epi8(_mm_min_epu8(x, size), x), i);
        }
        return mask;
    }
    std::uint64_t letters() const {
        Block small;
        for (int i = 0; i < 4; ++i) small.v[i] = _mm_or_si128(v[i], _mm_set1_epi8(0x20));
        return small.in_range('a', 'z');
    }
    bool any_high() const {
        return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(v[0], v[1]), _mm_or_si128(v[2], v[3]))) != 0;
    }
};

#include "pretokenize/flatten_bits.hpp"
#include "pretokenize/mask_bits.hpp"
#include "pretokenize/mask_runs.hpp"
#include "pretokenize/wide_groups.hpp"

#include "pretokenize/block_classes.hpp"
#include "pretokenize/long_runs.hpp"
#include "pretokenize/scan_masks.hpp"
#include "pretokenize/scan_masks_deepseek.hpp"
#include "pretokenize/scan_masks_superbpe.hpp"

#include "pretokenize/mask_scanners.hpp"

}  // namespace

const Scanners kScannersSse2 = mask_scanners(scan_cuts_scalar);

}  // namespace fissile

#endif
