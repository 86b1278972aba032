// Vector code finds the merges that the definition in replay.hpp calls possible, and drops them as asked.
#include <bit>
#include <random>
#include <vector>

#include "check.hpp"
#include "stochastic/replay.hpp"

using namespace fissile;

namespace {

constexpr std::size_t kMost = 64, kReadBeyond = 32;

struct Merges {
    std::vector<std::uint16_t> ends, between, cuts;
    unsigned n;

    PossibleMerges possible() const { return {between.data(), cuts.data(), n}; }
};

// Merges of tokens that begin at `n_symbols` places; what lies behind the last would be possible, too.
Merges random_merges(std::mt19937& random, unsigned n, unsigned n_symbols) {
    Merges merges{{}, {}, {}, n};
    for (std::size_t m = 0; m < kMost + kReadBeyond; ++m) {
        const unsigned first = random() % (n_symbols - 1), end = first + 2 + random() % (n_symbols - first - 1);
        const std::uint32_t between = (1u << end) - (2u << first);
        merges.ends.push_back(static_cast<std::uint16_t>(1u << first | 1u << end));
        merges.between.push_back(static_cast<std::uint16_t>(between));
        merges.cuts.push_back(static_cast<std::uint16_t>(between & random()));
    }
    return merges;
}

bool by_definition(const Merges& merges, Replay& replay, std::uint64_t n_survivors) {
    for (std::uint64_t made = 0;; ++made, ++replay.n_steps) {
        unsigned m = 0;
        for (; m < merges.n; ++m) {
            const std::uint32_t begins = replay.begins, cut = begins & merges.between[m];
            const bool is_possible =
                (begins & merges.ends[m]) == merges.ends[m] && std::popcount(cut) == 1 && (cut & merges.cuts[m]) != 0;
            if (is_possible && (replay.out >> m & 1) == 0) break;
        }
        if (m == merges.n) return false;
        if (made == n_survivors) {
            replay.out |= std::uint64_t{1} << m;
            return true;
        }
        replay.begins = static_cast<std::uint16_t>(replay.begins & ~merges.between[m]);
        if (!replay.dropped_stay_out) replay.out = 0;
    }
}

}  // namespace

int main() {
    std::mt19937 random(6);
    for (const Isa isa : available_isas()) {
        const ReplayKernel kernel = replay_kernel_for(isa);
        for (unsigned n = 1; n <= kMost; ++n) {
            const unsigned n_symbols = 2 + random() % 15;
            const Merges merges = random_merges(random, n, n_symbols);
            for (const bool stay_out : {false, true}) {
                Replay expected{0xffff};
                expected.dropped_stay_out = stay_out;
                Replay found = expected;
                for (bool dropped = true; dropped;) {
                    const std::uint64_t n_survivors = random() % 4;
                    dropped = by_definition(merges, expected, n_survivors);
                    CHECK_EQUAL(kernel(merges.possible(), found, n_survivors), dropped);
                    CHECK_EQUAL(found.begins, expected.begins);
                    CHECK_EQUAL(found.n_steps, expected.n_steps);
                    if (dropped) CHECK_EQUAL(found.out, expected.out);
                }
            }
        }
    }
    return check::result();
}
