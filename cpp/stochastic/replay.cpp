#include "stochastic/replay.hpp"

#include <bit>

namespace fissile {

namespace {

struct Ops {
    static std::uint64_t possible(const PossibleMerges& merges, std::uint32_t begins) noexcept {
        std::uint64_t bits = 0;
        for (unsigned m = 0; m < merges.n; ++m) {
            const std::uint32_t between = merges.between[m], cut = begins & between;
            const std::uint32_t ends = (between << 1 | between >> 1) & ~between & 0xffff;
            const bool is_possible = (begins & ends) == ends && (cut & (cut - 1)) == 0 && (cut & merges.cuts[m]) != 0;
            bits |= std::uint64_t{is_possible} << m;
        }
        return bits;
    }
};

#include "stochastic/replay_lanes.hpp"

}  // namespace

ReplayKernel replay_kernel_for(Isa isa) {
    switch (isa) {
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
        case Isa::kAvx2:
            return kReplayAvx2;
        case Isa::kAvx512:
            return kReplayAvx512;
#endif
        default:
            return replay_lanes;
    }
}

}  // namespace fissile
