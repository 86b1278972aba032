// Two neighbouring tokens as one number.
#pragma once

#include <cstdint>

#include "base.hpp"
#include "cpu/hash.hpp"

namespace fissile {

using PairKey = std::uint64_t;  // left id << 32 | right id: in order, the smaller pair of ids first
inline PairKey pair_key(TokenId left, TokenId right) { return PairKey{left} << 32 | right; }
inline TokenId left_of(PairKey key) { return static_cast<TokenId>(key >> 32); }
inline TokenId right_of(PairKey key) { return static_cast<TokenId>(key); }
inline constexpr PairKey kNoPair = ~PairKey{0};  // no pair of ids

inline std::uint64_t hash_of_pair(PairKey key) { return fold_multiply(key, kHashSeed1); }

}  // namespace fissile
