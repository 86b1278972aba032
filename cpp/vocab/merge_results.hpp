// The id that the merge of each rank makes. Mostly ids are given in order of rank: then it is a sum, and what comes
// next need not wait for a table.
#pragma once

#include <cstdint>

#include "base.hpp"

namespace fissile {

struct MergeResults {
    const TokenId* ids;
    TokenId first;      // of rank 0
    bool are_in_order;  // each is the one before it plus one

    TokenId operator[](std::uint32_t rank) const noexcept { return are_in_order ? first + rank : ids[rank]; }
};

}  // namespace fissile
