// The generator and the replay of merges for AVX-512.
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

// gcc 12 warns of its own headers' deliberately undefined registers.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <bit>
#include <limits>

#include "stochastic/least_above.hpp"
#include "stochastic/philox.hpp"
#include "stochastic/replay.hpp"

#define FISSILE_TARGET "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi,bmi2,popcnt,lzcnt"
#include "cpu/target_region.hpp"

namespace fissile {
namespace {

struct Ops {
    using Lanes = __m512i;
    static constexpr std::size_t kLanes = 8;

    static Lanes all(std::uint32_t word) noexcept { return _mm512_set1_epi64(word); }
    // In the order in which unpacking brings pairs of words together.
    static Lanes count_from(std::uint32_t first) noexcept {
        return _mm512_add_epi32(all(first), _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
    }
    static Lanes multiply(Lanes a, Lanes b) noexcept { return _mm512_mul_epu32(a, b); }
    static Lanes upper(Lanes a) noexcept { return _mm512_srli_epi64(a, 32); }
    static Lanes xor_three(Lanes a, Lanes b, Lanes c) noexcept { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
    static Lanes pairs(Lanes low, Lanes high) noexcept {
        return _mm512_mask_blend_epi32(0xaaaa, low, _mm512_slli_epi64(high, 32));
    }
    static void store(std::uint32_t* words, Lanes first_pairs, Lanes second_pairs) noexcept {
        _mm512_storeu_si512(words, _mm512_unpacklo_epi64(first_pairs, second_pairs));
        _mm512_storeu_si512(words + 16, _mm512_unpackhi_epi64(first_pairs, second_pairs));
    }

    static std::uint64_t possible(const PossibleMerges& merges, std::uint32_t begins) noexcept {
        const __m512i all_begins = _mm512_set1_epi16(static_cast<short>(begins));
        std::uint64_t bits = 0;
        for (unsigned m = 0; m < merges.n; m += 32) {
            const __m512i between = _mm512_loadu_si512(merges.between + m);
            const __m512i cut = _mm512_and_si512(all_begins, between);
            // The bits around `between`: a or b, and not c.
            const __m512i ends =
                _mm512_ternarylogic_epi64(_mm512_slli_epi16(between, 1), _mm512_srli_epi16(between, 1), between, 0x54);
            const __m512i less = _mm512_add_epi16(cut, _mm512_set1_epi16(-1));
            __mmask32 mask = _mm512_cmpeq_epi16_mask(_mm512_and_si512(all_begins, ends), ends);
            mask = _mm512_mask_testn_epi16_mask(mask, cut, less);
            mask = _mm512_mask_test_epi16_mask(mask, cut, _mm512_loadu_si512(merges.cuts + m));
            bits |= std::uint64_t{mask} << m;
        }
        return bits & ~std::uint64_t{0} >> (64 - merges.n);
    }
};

#include "stochastic/philox_lanes.hpp"
#include "stochastic/replay_lanes.hpp"

std::int32_t least_above(const std::int32_t* numbers, unsigned n, std::int32_t bound) noexcept {
    const __m512i bounds = _mm512_set1_epi32(bound);
    __m512i least = _mm512_set1_epi32(std::numeric_limits<std::int32_t>::max());
    for (unsigned i = 0; i < n; i += kLeastLanes) {
        const __m512i some = _mm512_loadu_si512(numbers + i);
        least = _mm512_mask_min_epi32(least, _mm512_cmpgt_epi32_mask(some, bounds), least, some);
    }
    return _mm512_reduce_min_epi32(least);
}

void places(const std::int32_t* numbers, unsigned n, std::int32_t number, std::uint64_t* places) noexcept {
    const __m512i wanted = _mm512_set1_epi32(number);
    for (unsigned i = 0; i < n; i += kPlacesLanes) {
        std::uint64_t bits = 0;
        for (unsigned lane = 0; lane < kPlacesLanes; lane += 16) {
            const __mmask16 mask = _mm512_cmpeq_epi32_mask(_mm512_loadu_si512(numbers + i + lane), wanted);
            bits |= std::uint64_t{mask} << lane;
        }
        places[i / kPlacesLanes] = bits;
    }
}

}  // namespace

const PhiloxKernel kPhiloxAvx512 = philox_lanes;
const ReplayKernel kReplayAvx512 = replay_lanes;
const LeastAboveKernel kLeastAboveAvx512 = least_above;
const PlacesKernel kPlacesAvx512 = places;

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
