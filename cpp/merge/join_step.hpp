// The loops of join_kernels.hpp.
//
// Compiled once for each ISA, inside its file, which provides `Ops`: may_join, a bit for each of at most 64 neighbours;
// find_two, as for merge_step.hpp; take_out, at most 64 ids moved together. No include guard.

inline void find_joins(const PairFilter& filter, const TokenId* ids, std::size_t first, std::size_t n,
                       std::uint64_t* joins) noexcept {
    for (std::size_t word = first / 64; word * 64 < n; ++word) {
        const std::size_t n_left = n - word * 64 - 1;
        joins[word] = Ops::may_join(filter, ids + word * 64, n_left < 64 ? n_left : 64);
    }
}

inline void find_ranks(const PairRanks& pairs, const TokenId* ids, std::size_t n_words, const std::uint64_t* joins,
                       std::uint32_t* ranks, std::uint64_t* ranked) noexcept {
    // As many words ahead as it takes for what is asked for to arrive.
    constexpr std::size_t kAhead = 1;
    for (std::size_t word = 0; word < n_words + kAhead; ++word) {
        if (word < n_words) {
            for (std::uint64_t asked = joins[word]; asked != 0; asked &= asked - 1) {
                const TokenId* const pair = ids + word * 64 + std::countr_zero(asked);
                pairs.ask(pair[0], pair[1]);
            }
        }
        if (word < kAhead) continue;
        const std::size_t base = (word - kAhead) * 64;
        const TokenId* const from = ids + base;
        std::uint64_t found = 0;
        for (std::uint64_t left = joins[word - kAhead]; left != 0;) {
            // The last pair twice, if their number is odd.
            const int a = std::countr_zero(left);
            left &= left - 1;
            const int b = left == 0 ? a : std::countr_zero(left);
            left &= left - 1;
            std::uint32_t two[2];
            Ops::find_two(pairs, {from[a], from[a + 1], from[b], from[b + 1]}, two);
            ranks[base + static_cast<std::size_t>(a)] = two[0];
            ranks[base + static_cast<std::size_t>(b)] = two[1];
            found |= std::uint64_t{two[0] != kNoRank} << a | std::uint64_t{two[1] != kNoRank} << b;
        }
        ranked[word - kAhead] = found;
    }
}

inline std::size_t take_out(TokenId* ids, std::size_t n, const std::uint64_t* gone) noexcept {
    std::size_t n_left = 0;
    for (std::size_t i = 0; i < n; i += 64) {
        n_left += Ops::take_out(ids + n_left, ids + i, n - i < 64 ? n - i : 64, gone[i / 64]);
    }
    return n_left;
}
