// The merge kernels for AVX2.
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

#include <immintrin.h>

#include <array>
#include <cstring>

#include "merge/join_kernels.hpp"
#include "merge/merge_short.hpp"

#define FISSILE_TARGET "avx2,bmi,bmi2,popcnt,lzcnt"
#include "cpu/target_region.hpp"

namespace fissile {
namespace {

struct Ops {
    static __m256i load(const void* address) noexcept {
        return _mm256_loadu_si256(static_cast<const __m256i*>(address));
    }
    static std::uint32_t smallest(const std::uint32_t (&orders)[16]) noexcept {
        const __m256i eight = _mm256_min_epu32(load(orders), load(orders + 8));
        __m128i least = _mm_min_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
        least = _mm_min_epu32(least, _mm_shuffle_epi32(least, 0x4e));
        least = _mm_min_epu32(least, _mm_shuffle_epi32(least, 0xb1));
        return static_cast<std::uint32_t>(_mm_cvtsi128_si32(least));
    }
    static std::uint64_t smallest(const std::uint64_t (&orders)[64]) noexcept {
        // Orders are below 2^38, so a comparison with signs will do.
        __m256i least = load(orders);
        for (std::size_t i = 4; i < 64; i += 4) {
            const __m256i next = load(orders + i);
            least = _mm256_blendv_epi8(least, next, _mm256_cmpgt_epi64(least, next));
        }
        alignas(32) std::uint64_t four[4];
        _mm256_store_si256(reinterpret_cast<__m256i*>(four), least);
        return std::min(std::min(four[0], four[1]), std::min(four[2], four[3]));
    }

    // Of the eight words that a pair may be in, the rank in the one that has its ids, plus one; else zeros.
    static __m256i found_in(const PairRanks& pairs, std::uint64_t key) noexcept {
        const std::uint64_t hash = PairRanks::hash_of(key);
        const __m256i ids = _mm256_set1_epi64x(static_cast<long long>(key));
        const __m128i rank_bits = _mm_cvtsi32_si128(static_cast<int>(pairs.rank_bits()));
        const auto rank_if_here = [&](const std::uint64_t* bucket) {
            const __m256i rest = _mm256_xor_si256(load(bucket), ids);
            const __m256i here = _mm256_cmpeq_epi64(_mm256_srl_epi64(rest, rank_bits), _mm256_setzero_si256());
            return _mm256_and_si256(_mm256_sub_epi64(rest, here), here);
        };
        return _mm256_or_si256(rank_if_here(pairs.first_bucket(hash)), rank_if_here(pairs.second_bucket(hash)));
    }
    static void find_two(const PairRanks& pairs, const TokenId (&ids)[4], std::uint32_t ranks[2]) noexcept {
        const __m256i first = found_in(pairs, pairs.key_of(ids[0], ids[1]));
        const __m256i second = found_in(pairs, pairs.key_of(ids[2], ids[3]));
        const __m256i both =
            _mm256_or_si256(_mm256_unpacklo_epi64(first, second), _mm256_unpackhi_epi64(first, second));
        const __m128i found = _mm_or_si128(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        // Nothing found, 0, becomes kNoRank.
        ranks[0] = static_cast<std::uint32_t>(_mm_cvtsi128_si64(found)) - 1;
        ranks[1] = static_cast<std::uint32_t>(_mm_extract_epi64(found, 1)) - 1;
    }

    // Of n numbers, and those up to the next 16.
    static std::uint32_t least(const std::uint32_t* numbers, std::size_t n) noexcept {
        __m256i least = load(numbers);
        for (std::size_t i = 8; i < n; i += 8) least = _mm256_min_epu32(least, load(numbers + i));
        const __m128i four = _mm_min_epu32(_mm256_castsi256_si128(least), _mm256_extracti128_si256(least, 1));
        const __m128i two = _mm_min_epu32(four, _mm_shuffle_epi32(four, 0x4e));
        return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_min_epu32(two, _mm_shuffle_epi32(two, 0x11))));
    }
    static std::uint32_t equal(const std::uint32_t* numbers, std::uint32_t number) noexcept {
        const __m256i wanted = _mm256_set1_epi32(static_cast<int>(number));
        const __m256i low = _mm256_cmpeq_epi32(load(numbers), wanted);
        const __m256i high = _mm256_cmpeq_epi32(load(numbers + 8), wanted);
        return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(low)) |
                                          _mm256_movemask_ps(_mm256_castsi256_ps(high)) << 8);
    }

    static std::uint64_t may_join(const PairFilter& filter, const TokenId* ids, std::size_t n) noexcept {
        const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(filter.shift()));
        const __m256i left_factor = _mm256_set1_epi32(static_cast<int>(PairFilter::kLeft));
        const __m256i right_factor = _mm256_set1_epi32(static_cast<int>(PairFilter::kRight));
        const std::uint32_t* const words = filter.words();
        std::uint64_t bits = 0;
        std::size_t i = 0;
        for (; i + 8 <= n; i += 8) {
            const __m256i sum = _mm256_add_epi32(_mm256_mullo_epi32(load(ids + i), left_factor),
                                                 _mm256_mullo_epi32(load(ids + i + 1), right_factor));
            alignas(32) std::uint32_t hashes[8];
            _mm256_store_si256(reinterpret_cast<__m256i*>(hashes), _mm256_srl_epi32(sum, shift));
            for (std::size_t k = 0; k < 8; ++k) {
                bits |= std::uint64_t{words[hashes[k] >> 5] >> (hashes[k] & 31) & 1} << (i + k);
            }
        }
        for (; i < n; ++i) bits |= std::uint64_t{filter.may_hold(ids[i], ids[i + 1])} << i;
        return bits;
    }

    static std::size_t take_out(TokenId* ids, const TokenId* from, std::size_t n, std::uint64_t gone) noexcept {
        // Of four ids those that stay, moved to the front, by which of them go.
        alignas(16) static constexpr auto kMoves = [] {
            std::array<std::array<std::uint8_t, 16>, 16> moves{};
            for (unsigned set = 0; set < 16; ++set) {
                for (unsigned id = 0, at = 0; id < 4; ++id) {
                    if ((set >> id & 1) != 0) continue;
                    for (unsigned byte = 0; byte < 4; ++byte)
                        moves[set][at++] = static_cast<std::uint8_t>(4 * id + byte);
                }
            }
            return moves;
        }();
        std::size_t n_left = 0, i = 0;
        for (; i + 4 <= n; i += 4) {
            const unsigned set = static_cast<unsigned>(gone >> i) & 15;
            const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
            const __m128i move = _mm_load_si128(reinterpret_cast<const __m128i*>(kMoves[set].data()));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(ids + n_left), _mm_shuffle_epi8(four, move));
            n_left += 4 - static_cast<std::size_t>(std::popcount(set));
        }
        for (; i < n; ++i) {
            ids[n_left] = from[i];
            n_left += ~gone >> i & 1;
        }
        return n_left;
    }
};

#include "merge/join_step.hpp"
#include "merge/merge_by_rank.hpp"
#include "merge/merge_step.hpp"

}  // namespace

const MergeKernels kMergeAvx2 = {merge_many<16>, merge_many<64>,           merge_by_rank,
                                 true,           merge_keys<PlainKeys, 1>, merge_keys<PlainKeys, 2>};
const JoinKernels kJoinAvx2 = {find_joins, find_ranks, take_out};

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
