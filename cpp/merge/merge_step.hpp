// The step of merge_short.hpp, and the loops around it.
//
// Compiled once for each ISA, inside its isa_*.cpp, which provides `Ops`: smallest(orders), the least of a lane's
// orders, and find_two(pairs, ids, ranks), the ranks of the first two of four ids and of the last two. No include
// guard.

// Merges one pair and asks for the ranks around it; false if there is none to merge, or no more than kLeast symbols.
template <unsigned kWidth, std::size_t kLeast>
inline bool merge_step(const PairRanks& pairs, MergeResults results, MergeLane<kWidth>& lane) noexcept {
    if (kLeast > 1 && lane.n_symbols() <= kLeast) return false;
    const auto best = Ops::smallest(lane.orders);
    if (best >= MergeLane<kWidth>::kNone) return false;
    const unsigned at = static_cast<unsigned>(best) & (kWidth - 1);
    const std::uint64_t beyond = ~std::uint64_t{1} << at;
    const auto merged = static_cast<unsigned>(std::countr_zero(lane.alive & beyond));
    lane.at = at;
    lane.left = lane.ids[at];
    lane.right = lane.ids[merged];
    lane.ids[at] = results[static_cast<std::uint32_t>(best >> MergeLane<kWidth>::kPositionBits)];
    lane.alive ^= std::uint64_t{1} << merged;
    lane.orders[merged] = MergeLane<kWidth>::kNone;
    lane.before = static_cast<unsigned>(std::bit_width(lane.alive & ~(beyond | beyond >> 1))) - 1;
    if (kLeast > 1 && lane.n_symbols() <= kLeast) return false;
    lane.after = static_cast<unsigned>(std::countr_zero(lane.alive & beyond));
    pairs.ask(lane.ids[lane.before], lane.ids[at]);
    pairs.ask(lane.ids[at], lane.ids[lane.after]);
    return true;
}

// Takes the answers, before the next step.
template <unsigned kWidth>
inline void merge_answer(const PairRanks& pairs, MergeLane<kWidth>& lane) noexcept {
    std::uint32_t ranks[2];
    const TokenId at = lane.ids[lane.at];
    Ops::find_two(pairs, {lane.ids[lane.before], at, at, lane.ids[lane.after]}, ranks);
    lane.orders[lane.before] = MergeLane<kWidth>::order_of(ranks[0], lane.before);
    lane.orders[lane.at] = MergeLane<kWidth>::order_of(ranks[1], lane.at);
}

template <unsigned kWidth, std::size_t kLeast = 1>
void merge_many(const PairRanks& pairs, MergeResults results, MergeLane<kWidth>* lanes, std::size_t n_lanes) noexcept {
    constexpr std::size_t kMaxActive = 32;
    MergeLane<kWidth>* active[kMaxActive];
    for (std::size_t first = 0; first < n_lanes; first += kMaxActive) {
        std::size_t n_active = 0;
        for (std::size_t i = first; i < n_lanes && i < first + kMaxActive; ++i) {
            active[n_active] = lanes + i;
            n_active += merge_step<kWidth, kLeast>(pairs, results, lanes[i]);
        }
        while (n_active != 0) {
            // Apart, as a lane's orders are written one by one here and read all at once there, which takes a while
            // to be possible.
            for (std::size_t i = 0; i < n_active; ++i) merge_answer(pairs, *active[i]);
            std::size_t n_still = 0;
            for (std::size_t i = 0; i < n_active; ++i) {
                MergeLane<kWidth>* const lane = active[i];
                active[n_still] = lane;
                n_still += merge_step<kWidth, kLeast>(pairs, results, *lane);
            }
            n_active = n_still;
        }
    }
}

// What merge_keys does by loops, where an ISA has nothing better.
struct PlainKeys {
    static void spell(ByteSymbols symbols, PieceKey key, MergeLane<16>& lane) noexcept {
        std::uint8_t bytes[16];
        std::memcpy(bytes, &key, sizeof bytes);
        lane.spell({bytes, bytes[15]}, symbols);
    }
    static std::size_t take(const MergeLane<16>& lane, MergedKey& merged) noexcept {
        std::fill_n(merged.ids, MergedKey::kZeros, 0);
        const std::size_t n = lane.copy_ids(merged.ids);
        return std::find(merged.ids, merged.ids + n, kNoToken) == merged.ids + n ? n : 0;
    }
};

// The loop of merge_keys.hpp; `Keys` spells a key in a lane, and takes the ids that are left out of it.
template <class Keys, std::size_t kLeast>
void merge_keys(const PairRanks& pairs, MergeResults results, ByteSymbols symbols, const PieceKey* keys, std::size_t n,
                MergedKey* merged, std::uint8_t* n_ids) noexcept {
    constexpr std::size_t kAtOnce = 32;
    MergeLane<16> lanes[kAtOnce];
    for (std::size_t first = 0; first < n; first += kAtOnce) {
        const std::size_t n_lanes = n - first < kAtOnce ? n - first : kAtOnce;
        for (std::size_t i = 0; i < n_lanes; ++i) Keys::spell(symbols, keys[first + i], lanes[i]);
        merge_many<16, kLeast>(pairs, results, lanes, n_lanes);
        for (std::size_t i = 0; i < n_lanes; ++i) {
            n_ids[first + i] = static_cast<std::uint8_t>(Keys::take(lanes[i], merged[first + i]));
        }
    }
}
