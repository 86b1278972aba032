// The mask scanners for AVX2 (Haswell, Zen and later).
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

#include <immintrin.h>

#include <bit>
#include <cstdint>
#include <cstring>

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
};

#include "pretokenize/flatten_bits.hpp"
#include "pretokenize/scan_masks.hpp"

}  // namespace

const Scanners kScannersAvx2 = {scan_masks<patterns::Gpt2>, scan_masks<patterns::Cl100k>, scan_masks<patterns::Llama3>,
                                scan_masks<patterns::Qwen2>, scan_masks<patterns::O200k>};

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
