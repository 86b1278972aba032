// The merge kernels for AVX-512.
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

// gcc 12 warns of its own headers' deliberately undefined registers.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include "merge/join_kernels.hpp"
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
    static void find_two(const PairRanks& pairs, const TokenId (&ids)[4], std::uint32_t ranks[2]) noexcept {
        const __m256i first = least_of(pairs, pairs.key_of(ids[0], ids[1]));
        const __m256i second = least_of(pairs, pairs.key_of(ids[2], ids[3]));
        const __m256i both =
            _mm256_min_epu64(_mm256_unpacklo_epi64(first, second), _mm256_unpackhi_epi64(first, second));
        const __m128i least = _mm_min_epu64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        const __m128i limit = _mm_set1_epi64x(static_cast<long long>(std::uint64_t{1} << pairs.rank_bits()));
        const __m128i found = _mm_mask_mov_epi64(_mm_set1_epi64x(-1), _mm_cmplt_epu64_mask(least, limit), least);
        ranks[0] = static_cast<std::uint32_t>(_mm_cvtsi128_si64(found));
        ranks[1] = static_cast<std::uint32_t>(_mm_extract_epi64(found, 1));
    }

    // The lowest n lanes of 16.
    static __mmask16 lanes(std::size_t n) noexcept { return static_cast<__mmask16>(n < 16 ? (1u << n) - 1 : 0xffffu); }

    static std::uint64_t may_join(const PairFilter& filter, const TokenId* ids, std::size_t n) noexcept {
        const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(filter.shift()));
        const __m512i left_factor = _mm512_set1_epi32(static_cast<int>(PairFilter::kLeft));
        const __m512i right_factor = _mm512_set1_epi32(static_cast<int>(PairFilter::kRight));
        const __m512i one = _mm512_set1_epi32(1);
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < n; i += 16) {
            const __mmask16 there = lanes(n - i);
            const __m512i left = _mm512_maskz_loadu_epi32(there, ids + i);
            const __m512i right = _mm512_maskz_loadu_epi32(there, ids + i + 1);
            const __m512i sum =
                _mm512_add_epi32(_mm512_mullo_epi32(left, left_factor), _mm512_mullo_epi32(right, right_factor));
            const __m512i hash = _mm512_srl_epi32(sum, shift);
            const __m512i words = _mm512_i32gather_epi32(_mm512_srli_epi32(hash, 5), filter.words(), 4);
            const __m512i bit = _mm512_sllv_epi32(one, _mm512_and_si512(hash, _mm512_set1_epi32(31)));
            bits |= std::uint64_t{_mm512_mask_test_epi32_mask(there, words, bit)} << i;
        }
        return bits;
    }

    static std::size_t take_out(TokenId* ids, const TokenId* from, std::size_t n, std::uint64_t gone) noexcept {
        std::size_t n_left = 0;
        for (std::size_t i = 0; i < n; i += 16) {
            const __mmask16 there = lanes(n - i);
            const auto kept = static_cast<__mmask16>(there & ~(gone >> i));
            const __m512i some = _mm512_maskz_loadu_epi32(there, from + i);
            const auto n_kept = static_cast<std::size_t>(std::popcount(static_cast<unsigned>(kept)));
            _mm512_mask_storeu_epi32(ids + n_left, lanes(n_kept), _mm512_maskz_compress_epi32(kept, some));
            n_left += n_kept;
        }
        return n_left;
    }
};

#include "merge/join_step.hpp"
#include "merge/merge_step.hpp"

}  // namespace

const MergeKernels kMergeAvx512 = {merge_many<16>, merge_many<64>, merge_many<16, 2>};
const JoinKernels kJoinAvx512 = {find_joins, find_ranks, take_out};

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
