// The generator and the replay of merges for AVX2.
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

#include <immintrin.h>

#include <limits>

#include <bit>

#include "stochastic/least_above.hpp"
#include "stochastic/philox.hpp"
#include "stochastic/replay.hpp"

#define FISSILE_TARGET "avx2,bmi,bmi2,popcnt,lzcnt"
#include "cpu/target_region.hpp"

namespace fissile {
namespace {

struct Ops {
    using Lanes = __m256i;
    static constexpr std::size_t kLanes = 4;

    static Lanes all(std::uint32_t word) noexcept { return _mm256_set1_epi64x(word); }
    // In the order in which unpacking brings pairs of words together.
    static Lanes count_from(std::uint32_t first) noexcept {
        return _mm256_add_epi32(all(first), _mm256_setr_epi64x(0, 2, 1, 3));
    }
    static Lanes multiply(Lanes a, Lanes b) noexcept { return _mm256_mul_epu32(a, b); }
    static Lanes upper(Lanes a) noexcept { return _mm256_srli_epi64(a, 32); }
    static Lanes xor_three(Lanes a, Lanes b, Lanes c) noexcept { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
    static Lanes pairs(Lanes low, Lanes high) noexcept {
        return _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xaa);
    }
    static void store(std::uint32_t* words, Lanes first_pairs, Lanes second_pairs) noexcept {
        auto* const out = reinterpret_cast<__m256i*>(words);
        _mm256_storeu_si256(out, _mm256_unpacklo_epi64(first_pairs, second_pairs));
        _mm256_storeu_si256(out + 1, _mm256_unpackhi_epi64(first_pairs, second_pairs));
    }

    static __m256i load(const std::uint16_t* address) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(address));
    }
    static std::uint64_t possible(const PossibleMerges& merges, std::uint32_t begins) noexcept {
        const __m256i all_begins = _mm256_set1_epi16(static_cast<short>(begins));
        const auto possible_from = [&](unsigned m) {
            const __m256i between = load(merges.between + m), zero = _mm256_setzero_si256();
            const __m256i cut = _mm256_and_si256(all_begins, between);
            const __m256i ends = _mm256_andnot_si256(
                between, _mm256_or_si256(_mm256_slli_epi16(between, 1), _mm256_srli_epi16(between, 1)));
            const __m256i less = _mm256_add_epi16(cut, _mm256_set1_epi16(-1));
            const __m256i has_ends = _mm256_cmpeq_epi16(_mm256_and_si256(all_begins, ends), ends);
            const __m256i is_one = _mm256_cmpeq_epi16(_mm256_and_si256(cut, less), zero);
            const __m256i is_none = _mm256_cmpeq_epi16(_mm256_and_si256(cut, load(merges.cuts + m)), zero);
            return _mm256_andnot_si256(is_none, _mm256_and_si256(has_ends, is_one));
        };
        std::uint64_t bits = 0;
        for (unsigned m = 0; m < merges.n; m += 32) {
            // Packing takes 128 bits of each in turn.
            const __m256i packed = _mm256_packs_epi16(possible_from(m), possible_from(m + 16));
            const int mask = _mm256_movemask_epi8(_mm256_permute4x64_epi64(packed, 0xd8));
            bits |= std::uint64_t{static_cast<std::uint32_t>(mask)} << m;
        }
        return bits & ~std::uint64_t{0} >> (64 - merges.n);
    }
};

#include "stochastic/philox_lanes.hpp"
#include "stochastic/replay_lanes.hpp"

std::int32_t least_above(const std::int32_t* numbers, unsigned n, std::int32_t bound) noexcept {
    const __m256i bounds = _mm256_set1_epi32(bound), none = _mm256_set1_epi32(std::numeric_limits<std::int32_t>::max());
    __m256i least = none;
    for (unsigned i = 0; i < n; i += 8) {
        const __m256i some = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers + i));
        least = _mm256_min_epi32(least, _mm256_blendv_epi8(none, some, _mm256_cmpgt_epi32(some, bounds)));
    }
    __m128i half = _mm_min_epi32(_mm256_castsi256_si128(least), _mm256_extracti128_si256(least, 1));
    half = _mm_min_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_min_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

void places(const std::int32_t* numbers, unsigned n, std::int32_t number, std::uint64_t* places) noexcept {
    const __m256i wanted = _mm256_set1_epi32(number);
    for (unsigned i = 0; i < n; i += kPlacesLanes) {
        std::uint64_t bits = 0;
        for (unsigned lane = 0; lane < kPlacesLanes; lane += 8) {
            const __m256i some = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers + i + lane));
            const int mask = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(some, wanted)));
            bits |= std::uint64_t{static_cast<std::uint32_t>(mask)} << lane;
        }
        places[i / kPlacesLanes] = bits;
    }
}

}  // namespace

const PhiloxKernel kPhiloxAvx2 = philox_lanes;
const ReplayKernel kReplayAvx2 = replay_lanes;
const LeastAboveKernel kLeastAboveAvx2 = least_above;
const PlacesKernel kPlacesAvx2 = places;

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
