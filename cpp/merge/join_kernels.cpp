#include "merge/join_kernels.hpp"

#include <algorithm>

namespace fissile {

PairFilter::PairFilter(std::size_t n_pairs) {
    // 16 to 32 bits a pair: one in 16 to 32 others is taken for one of them.
    const std::size_t n_bits = std::clamp(std::bit_ceil(n_pairs * 16), std::size_t{1} << 10, std::size_t{1} << 28);
    words_.assign(n_bits / 32, 0);
    shift_ = static_cast<unsigned>(32 - std::countr_zero(n_bits));
}

namespace {

struct Ops {
    static std::uint64_t may_join(const PairFilter& filter, const TokenId* ids, std::size_t n) noexcept {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < n; ++i) bits |= std::uint64_t{filter.may_hold(ids[i], ids[i + 1])} << i;
        return bits;
    }
    static void find_two(const PairRanks& pairs, const TokenId (&ids)[4], std::uint32_t ranks[2]) noexcept {
        ranks[0] = pairs.find(ids[0], ids[1]);
        ranks[1] = pairs.find(ids[2], ids[3]);
    }
    static std::size_t take_out(TokenId* ids, const TokenId* from, std::size_t n, std::uint64_t gone) noexcept {
        std::size_t n_left = 0;
        for (std::size_t i = 0; i < n; ++i) {
            ids[n_left] = from[i];
            n_left += ~gone >> i & 1;
        }
        return n_left;
    }
};

#include "merge/join_step.hpp"

constexpr JoinKernels kJoinScalar = {find_joins, find_ranks, take_out};

}  // namespace

const JoinKernels& join_kernels_for(Isa isa) {
    switch (isa) {
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
        case Isa::kAvx2:
            return kJoinAvx2;
        case Isa::kAvx512:
            return kJoinAvx512;
#endif
        default:
            return kJoinScalar;
    }
}

}  // namespace fissile
