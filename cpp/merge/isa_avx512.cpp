// The merge kernels for AVX-512.
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

// gcc 12 warns of its own headers' deliberately undefined registers.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include "merge/front_kernels.hpp"
#include "merge/join_kernels.hpp"
#include "merge/merge_short.hpp"

#define FISSILE_TARGET "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi,bmi2,popcnt,lzcnt,prfchw"
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

    // Of n numbers, and those up to the next 16.
    static std::uint32_t least(const std::uint32_t* numbers, std::size_t n) noexcept {
        __m512i least = _mm512_loadu_si512(numbers);
        for (std::size_t i = 16; i < n; i += 16) least = _mm512_min_epu32(least, _mm512_loadu_si512(numbers + i));
        return _mm512_reduce_min_epu32(least);
    }
    static std::uint32_t equal(const std::uint32_t* numbers, std::uint32_t number) noexcept {
        return _mm512_cmpeq_epi32_mask(_mm512_loadu_si512(numbers), _mm512_set1_epi32(static_cast<int>(number)));
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
#include "merge/merge_by_rank.hpp"
#include "merge/merge_step.hpp"

struct Keys {
    // Position i + 1 of a lane has byte i.
    static void spell(ByteSymbols symbols, PieceKey key, MergeLane<16>& lane) noexcept {
        const auto n = static_cast<unsigned>(key.high >> 56);
        const __m128i bytes = _mm_set_epi64x(static_cast<long long>(key.high), static_cast<long long>(key.low));
        const auto there = static_cast<__mmask16>((1u << n) - 1);
        const __m512i none = _mm512_set1_epi32(-1);
        const __m512i right = _mm512_cvtepu8_epi32(bytes), left = _mm512_cvtepu8_epi32(_mm_slli_si128(bytes, 1));
        const __m512i ids = _mm512_mask_i32gather_epi32(none, there, right, symbols.symbols, 4);
        const auto pairs = static_cast<__mmask16>(there & ~1u);
        const __m512i two =
            _mm512_or_si512(_mm512_sll_epi32(left, _mm_cvtsi32_si128(static_cast<int>(symbols.n_bits))), right);
        const __m512i ranks = _mm512_mask_i32gather_epi32(none, pairs, two, symbols.pair_ranks, 4);
        const __m512i positions = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        _mm512_store_si512(lane.orders, _mm512_or_si512(_mm512_slli_epi32(ranks, 4), positions));
        lane.ids[0] = kNoToken;
        _mm512_storeu_si512(lane.ids + 1, ids);
        lane.alive = (std::uint64_t{4} << n) - 1;
    }
    static std::size_t take(const MergeLane<16>& lane, MergedKey& merged) noexcept {
        const auto left = static_cast<unsigned>(lane.alive >> 1);  // and the position beyond the end
        const auto n = static_cast<std::size_t>(std::popcount(left)) - 1;
        const __m512i some =
            _mm512_maskz_compress_epi32(static_cast<__mmask16>(left), _mm512_loadu_si512(lane.ids + 1));
        _mm512_storeu_si512(merged.ids, _mm512_maskz_mov_epi32(Ops::lanes(n), some));
        const __mmask16 unknown = _mm512_mask_cmpeq_epi32_mask(Ops::lanes(n), some, _mm512_set1_epi32(-1));
        return unknown == 0 ? n : 0;
    }
};

// The first bytes of n_left, and zeros; reads nothing else.
__m512i load_up_to(const std::uint8_t* bytes, std::size_t n_left) noexcept {
    return _mm512_maskz_loadu_epi8(n_left < 64 ? (std::uint64_t{1} << n_left) - 1 : ~std::uint64_t{0}, bytes);
}

// Eight spans at a time; see piece_key, FrontTable::at and FrontTable::holds.
std::size_t look_up(const FrontTable& table, const FrontKernels::Spans& spans, const FoundPiece** pieces,
                    const FrontKernels::Missed& missed) noexcept {
    const auto* const entries = reinterpret_cast<const char*>(table.entries());
    const std::uint8_t* const text = spans.text.data();
    const __m512i address = _mm512_set1_epi64(static_cast<long long>(reinterpret_cast<std::uintptr_t>(entries)));
    const __m512i place_bits = _mm512_set1_epi64(((1 << FrontTable::kBits) - 1) * sizeof(FoundPiece));
    const __m512i low_factor = _mm512_set1_epi64(FrontTable::kLow), high_factor = _mm512_set1_epi64(FrontTable::kHigh);
    const __m512i ones = _mm512_set1_epi64(-1);
    const __m512i eight = _mm512_set1_epi64(0x0706050403020100),
                  first_of_eight = _mm512_set4_epi64(0x0808080808080808, 0, 0x0808080808080808, 0);
    __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i ends_before = _mm256_set1_epi32(static_cast<int>(spans.begin));
    std::size_t n_missed = 0;
    for (std::size_t i = 0; i < spans.n; i += 8) {
        const std::size_t n = spans.n - i < 8 ? spans.n - i : 8;
        const auto there = static_cast<__mmask8>((1u << n) - 1);
        const __m256i ends = _mm256_maskz_loadu_epi32(there, spans.ends + i);
        const __m256i starts = _mm256_alignr_epi32(ends, ends_before, 7);
        ends_before = ends;
        const __m256i n_bytes = _mm256_sub_epi32(ends, starts);
        const std::size_t base = i == 0 ? spans.begin : spans.ends[i - 1];
        const std::size_t last_start = n == 1 ? base : spans.ends[i + n - 2];
        __m512i low, high;
        if (last_start - base <= 128 - 16) [[likely]] {
            // All begin in two blocks of text, from which each takes its 16 bytes.
            const std::size_t n_left = spans.text.size() - base;
            const __m512i block = load_up_to(text + base, n_left);
            const __m512i next = load_up_to(text + base + 64, n_left < 64 ? 0 : n_left - 64);
            const __m512i from =
                _mm512_cvtepu32_epi64(_mm256_sub_epi32(starts, _mm256_set1_epi32(static_cast<int>(base))));
            const __m512i places = _mm512_add_epi8(_mm512_shuffle_epi8(from, first_of_eight), eight);
            low = _mm512_permutex2var_epi8(block, places, next);
            high = _mm512_permutex2var_epi8(block, _mm512_add_epi8(places, _mm512_set1_epi8(8)), next);
            const __m512i length = _mm512_cvtepu32_epi64(n_bytes);
            low = _mm512_andnot_si512(_mm512_sllv_epi64(ones, _mm512_slli_epi64(length, 3)), low);
            const __m512i beyond = _mm512_slli_epi64(_mm512_subs_epu16(length, _mm512_set1_epi64(8)), 3);
            high = _mm512_andnot_si512(_mm512_sllv_epi64(ones, beyond), high);
            high = _mm512_or_si512(high, _mm512_slli_epi64(length, 56));
            const __mmask8 too_long = _mm256_cmpgt_epu32_mask(n_bytes, _mm256_set1_epi32(kMaxInlinePiece));
            low = _mm512_mask_mov_epi64(low, too_long, _mm512_setzero_si512());
            high = _mm512_mask_mov_epi64(high, too_long, _mm512_set1_epi64(static_cast<long long>(kTooLong.high)));
        } else {
            alignas(64) std::uint64_t lows[8] = {}, highs[8] = {};
            std::size_t start = base;
            for (std::size_t k = 0; k < n; ++k) {
                const PieceKey key = piece_key(text + start, spans.ends[i + k] - start);
                lows[k] = key.low;
                highs[k] = key.high;
                start = spans.ends[i + k];
            }
            low = _mm512_load_si512(lows);
            high = _mm512_load_si512(highs);
        }
        const __m512i word = _mm512_xor_si512(low, _mm512_srli_epi64(high, 7));
        const __m512i hash = _mm512_add_epi32(_mm512_mul_epu32(word, low_factor),
                                              _mm512_mul_epu32(_mm512_srli_epi64(word, 32), high_factor));
        const __m512i place = _mm512_and_si512(_mm512_srli_epi64(hash, 32 - FrontTable::kBits - 5), place_bits);
        _mm512_mask_storeu_epi64(pieces + i, there, _mm512_add_epi64(address, place));
        const __m512i low_there = _mm512_i64gather_epi64(place, entries, 1);
        const __m512i high_there = _mm512_i64gather_epi64(place, entries + 8, 1);
        const __m512i differ = _mm512_or_si512(_mm512_xor_si512(low, low_there), _mm512_xor_si512(high, high_there));
        const __mmask8 not_there = _mm512_mask_test_epi64_mask(there, differ, differ);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(missed.index + n_missed),
                            _mm256_maskz_compress_epi32(not_there, index));
        _mm512_storeu_si512(missed.low + n_missed, _mm512_maskz_compress_epi64(not_there, low));
        _mm512_storeu_si512(missed.high + n_missed, _mm512_maskz_compress_epi64(not_there, high));
        n_missed += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(not_there)));
        index = _mm256_add_epi32(index, _mm256_set1_epi32(8));
    }
    return n_missed;
}

std::uint64_t too_long(std::size_t begin, const std::uint32_t* ends, std::size_t n) noexcept {
    const __m512i most = _mm512_set1_epi32(kMaxInlinePiece);
    __m512i ends_before = _mm512_set1_epi32(static_cast<int>(begin));
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < n; i += 16) {
        const __mmask16 there = Ops::lanes(n - i);
        const __m512i some = _mm512_maskz_loadu_epi32(there, ends + i);
        const __m512i starts = _mm512_alignr_epi32(some, ends_before, 15);
        bits |= std::uint64_t{_mm512_mask_cmpgt_epu32_mask(there, _mm512_sub_epi32(some, starts), most)} << i;
        ends_before = some;
    }
    return bits;
}

// Four pieces at a time: of four ids each, those that are meant. Where they are written to is asked for first, as large
// results are mostly not in the caches.
std::size_t append(const FoundPiece* const* pieces, std::size_t n_pieces, TokenId*& out) noexcept {
    const __m512i id_bits = _mm512_set1_epi32(0x0fffffff);
    const __m512i place = _mm512_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    constexpr std::size_t kAhead = 384;
    TokenId* to = out;
    std::size_t i = 0;
    const auto words = [&](std::size_t k) { return _mm_load_si128(reinterpret_cast<const __m128i*>(pieces[k]->ids)); };
    for (; i + 4 <= n_pieces; i += 4) {
        const __m256i two = _mm256_inserti128_si256(_mm256_castsi128_si256(words(i)), words(i + 1), 1);
        const __m256i other_two = _mm256_inserti128_si256(_mm256_castsi128_si256(words(i + 2)), words(i + 3), 1);
        const __m512i ids = _mm512_inserti64x4(_mm512_castsi256_si512(two), other_two, 1);
        const __m512i counts = _mm512_srli_epi32(_mm512_shuffle_epi32(ids, _MM_PERM_BBBB), 28);
        const __mmask16 meant = _mm512_cmpgt_epu32_mask(counts, place);
        if ((meant & 0x1111) != 0x1111) [[unlikely]]
            break;
        __builtin_prefetch(to + kAhead, 1);
        _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(meant, _mm512_and_si512(ids, id_bits)));
        to += std::popcount(static_cast<unsigned>(meant));
    }
    for (; i < n_pieces && pieces[i]->count() != 0; ++i) {
        pieces[i]->copy_ids(to);
        to += pieces[i]->count();
    }
    out = to;
    return i;
}

}  // namespace

const MergeKernels kMergeAvx512 = {merge_many<16>, merge_many<64>,      merge_by_rank,
                                   true,           merge_keys<Keys, 1>, merge_keys<Keys, 2>};
const FrontKernels kFrontAvx512 = {look_up, too_long, append};
const JoinKernels kJoinAvx512 = {find_joins, find_ranks, take_out};

}  // namespace fissile

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

#endif
