#include "merge/merge_short.hpp"

#include <cstring>

namespace fissile {

namespace {

struct Ops {
    // Halves, quarters, ...: a running minimum would wait for itself.
    template <class Order, std::size_t kWidth>
    static Order smallest(const Order (&orders)[kWidth]) noexcept {
        Order least[kWidth / 2];
        for (std::size_t i = 0; i < kWidth / 2; ++i) least[i] = std::min(orders[i], orders[i + kWidth / 2]);
        for (std::size_t n = kWidth / 4; n != 0; n /= 2) {
            for (std::size_t i = 0; i < n; ++i) least[i] = std::min(least[i], least[i + n]);
        }
        return least[0];
    }
    static void find_two(const PairRanks& pairs, const TokenId (&ids)[4], std::uint32_t ranks[2]) noexcept {
        ranks[0] = pairs.find(ids[0], ids[1]);
        ranks[1] = pairs.find(ids[2], ids[3]);
    }
    static std::uint32_t least(const std::uint32_t* numbers, std::size_t n) noexcept {
        return *std::min_element(numbers, numbers + n);
    }
    static std::uint32_t equal(const std::uint32_t* numbers, std::uint32_t number) noexcept {
        std::uint32_t bits = 0;
        for (std::uint32_t i = 0; i < 16; ++i) bits |= std::uint32_t{numbers[i] == number} << i;
        return bits;
    }
};

#include "merge/merge_by_rank.hpp"
#include "merge/merge_step.hpp"

constexpr MergeKernels kMergeScalar = {merge_many<16>, merge_many<64>,           merge_by_rank,
                                       false,          merge_keys<PlainKeys, 1>, merge_keys<PlainKeys, 2>};

}  // namespace

const MergeKernels& merge_kernels_for(Isa isa) {
    switch (isa) {
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
        case Isa::kAvx2:
            return kMergeAvx2;
        case Isa::kAvx512:
            return kMergeAvx512;
#endif
        default:
            return kMergeScalar;
    }
}

}  // namespace fissile
