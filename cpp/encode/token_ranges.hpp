// Where each token of a text lies in it.
#pragma once

#include <cstdint>
#include <vector>

#include "base.hpp"
#include "encode/encoder.hpp"

namespace fissile {

struct TokenRanges {
    IdArray ids;
    std::vector<std::int64_t> begins, ends;  // byte offsets, one of each a token
};

// The ids of `text` and the bytes that each stands for: tokens are laid along the text again, in order.
// Bytes that became no token (characters dropped) lie in no range; white space that an added token takes is part of it,
// and a space put in front of the text has no bytes. Where steps rewrite the text, a token's bytes are those of the
// characters it was made from.
TokenRanges token_ranges(const Encoder& encoder, Bytes text, const SpecialPlan& plan);

}  // namespace fissile
