// The merge kernels for AVX-512.
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

// gcc 12 warns of its own headers' deliberately undefined registers.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include "merge/merge_short.hpp"

#define FISSILE_TARGET "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi,bmi2,popcnt,lzcnt"
#include "cpu/target_region.hpp"

namespace fissile {
namespace {

struct Ops {
    static std::uint32_t smallest(const std::uint32_t (&orders)[16]) noexcept {
        return _mm512_reduce_min_epu32(_mm512_load_si512(orders));
    }
    static std::uint64_t smallest(const std::uint64_t (&orders)[64]) noexcept {
        __m512i least = _mm512_load_si512(orders);
        for (std::size_t i = 8; i < 64; i += 8) least = _mm512_min_epu64(least, _mm512_load_si512(orders + i));
        return _mm512_reduce_min_epu64(least);
    }

    // The eight words that a pair may be in, its ids taken out, four by four.
    static __m256i least_of(const PairRanks& pairs, std::uint64_t key) noexcept {
        const std::uint64_t hash = PairRanks::hash_of(key);
        const __m256i ids = _mm256_set1_epi64x(static_cast<long long>(key));
        const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs.first_bucket(hash)));
        const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs.second_bucket(hash)));
        return _mm256_min_epu64(_mm256_xor_si256(a, ids), _mm256_xor_si256(b, ids));
    }
    static void find_two(const PairRanks& pairs, TokenId a, TokenId b, TokenId c, std::uint32_t ranks[2]) noexcept {
        const __m256i first = least_of(pairs, pairs.key_of(a, b));
        const __m256i second = least_of(pairs, pairs.key_of(b, c));
        const __m256i both =
            _mm256_min_epu64(_mm256_unpacklo_epi64(first, second), _mm256_unpackhi_epi64(first, second));
        const __m128i least = _mm_min_epu64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        const __m128i limit = _mm_set1_epi64x(static_cast<long long>(std::uint64_t{1} << pairs.rank_bits()));
        const __m128i found = _mm_mask_mov_epi64(_mm_set1_epi64x(-1), _mm_cmplt_epu64_mask(least, limit), least);
        ranks[0] = static_cast<std::uint32_t>(_mm_cvtsi128_si64(found));
        ranks[1] = static_cast<std::uint32_t>(_mm_extract_epi64(found, 1));
    }
};

#include "merge/merge_step.hpp"

}  // namespace

const MergeKernels kMergeAvx512 = {merge_many<16>, merge_many<64>, merge_many<16, 2>};

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
