// Merging a piece too long for a lane, rank by rank.
//
// Where a merge gives nothing that a smaller rank merges (Vocabulary::merges_are_ordered), all pairs of the smallest
// rank are merged before anything else is, from left to right: one pass over the piece for each rank that it has, in
// place of a search for each merge. Rows of one character, which are most of what is long, have few ranks.
//
// Compiled once for each ISA, inside its isa_*.cpp, which provides `Ops`: least, of 16 n numbers, and equal, a bit for
// each of 16 numbers. No include guard.

inline std::size_t merge_by_rank(const PairRanks& pairs, MergeResults results, TokenId* ids, std::size_t n) noexcept {
    constexpr std::size_t kMost = MergeKernels::kMaxByRank;
    std::uint32_t ranks[kMost + 16];  // of each symbol and the next
    std::uint32_t merged[kMost / 2];  // where symbols came of the last pass
    TokenId left = kNoToken, right = kNoToken;
    std::uint32_t rank = kNoRank;
    // The same pair mostly comes again at once, if at all.
    const auto find = [&](std::size_t i) {
        if (ids[i] != left || ids[i + 1] != right) {
            left = ids[i];
            right = ids[i + 1];
            rank = pairs.find(left, right);
        }
        ranks[i] = rank;
    };
    constexpr std::size_t kAhead = 8;
    for (std::size_t i = 0; i + 1 < n; ++i) {
        if (i + 1 + kAhead < n) pairs.ask(ids[i + kAhead], ids[i + kAhead + 1]);
        find(i);
    }
    for (;;) {
        std::fill_n(ranks + (n == 0 ? 0 : n - 1), 16, kNoRank);
        const std::uint32_t least = Ops::least(ranks, n);
        if (least == kNoRank) return n;
        const TokenId result = results[least];
        std::size_t n_merged = 0, to = 0, from = 0;  // what begins at `from` has not moved yet
        const auto move_up_to = [&](std::size_t end) {
            if (to != from) {
                std::copy(ids + from, ids + end, ids + to);
                std::copy(ranks + from, ranks + end, ranks + to);
            }
            to += end - from;
        };
        for (std::size_t block = 0; block < n; block += 16) {
            for (std::uint32_t equal = Ops::equal(ranks + block, least); equal != 0; equal &= equal - 1) {
                const std::size_t at = block + static_cast<std::size_t>(std::countr_zero(equal));
                if (at < from) continue;  // its left symbol was merged just now
                move_up_to(at);
                merged[n_merged++] = static_cast<std::uint32_t>(to);
                ids[to++] = result;
                from = at + 2;
            }
        }
        move_up_to(n);
        n = to;
        for (std::size_t i = 0; i < n_merged; ++i) {
            if (merged[i] != 0) find(merged[i] - 1);
            if (merged[i] + 1 < n) find(merged[i]);
        }
    }
}
