// The loop of replay.hpp. Compiled once for each ISA, inside its isa_*.cpp, which provides `Ops`: possible(merges,
// begins), a bit for each merge that may happen. No include guard.

inline bool replay_lanes(const PossibleMerges& merges, Replay& replay, std::uint64_t n_survivors) noexcept {
    std::uint32_t begins = replay.begins;
    std::uint64_t out = replay.out;
    const std::uint64_t kept_out = replay.dropped_stay_out ? ~std::uint64_t{0} : 0;
    unsigned n_steps = 0;
    bool dropped = false;
    for (;;) {
        const std::uint64_t possible = Ops::possible(merges, begins) & ~out;
        if (possible == 0) break;
        if (n_steps == n_survivors) {
            out |= possible & (0 - possible);
            dropped = true;
            break;
        }
        ++n_steps;
        begins &= ~std::uint32_t{merges.between[std::countr_zero(possible)]};
        out &= kept_out;
    }
    replay.begins = static_cast<std::uint16_t>(begins);
    replay.out = out;
    replay.n_steps += n_steps;
    return dropped;
}
