// `flatten` for ISAs without a byte compress: a bit at a time, in fours. Included inside isa_*.cpp; no include guard.

// base + the position of each set bit, ascending; may write three entries beyond the last.
inline void flatten(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) {
    while (mask != 0) {
        for (int i = 0; i < 4; ++i) {
            out[i] = base + static_cast<std::uint32_t>(std::countr_zero(mask));
            mask &= mask - 1;
        }
        out += 4;
    }
}
