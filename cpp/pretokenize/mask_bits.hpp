// Bits of 64-bit masks, by place. Included inside isa_*.cpp, so that each ISA counts bits with its own instructions; no
// include guard.

constexpr std::uint64_t kAll = ~std::uint64_t{0};

inline std::uint64_t bit(std::size_t i) { return std::uint64_t{1} << i; }
inline std::uint64_t below(std::size_t i) { return i >= 64 ? kAll : bit(i) - 1; }
inline std::uint64_t run_starts(std::uint64_t run) { return run & ~(run << 1); }
// Bits of `run` from those in `from` on upwards; at most one bit of `from` in a run.
inline std::uint64_t flood(std::uint64_t from, std::uint64_t run) { return ((run + (from & run)) ^ run) & run; }
inline unsigned lowest(std::uint64_t mask) { return static_cast<unsigned>(std::countr_zero(mask)); }
// Of no bits: one below 0.
inline unsigned highest(std::uint64_t mask) { return 63u - static_cast<unsigned>(std::countl_zero(mask)); }
