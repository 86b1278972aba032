// Which canonical token the tokens of another spelling begin in.
#pragma once

#include "encode/splitter.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

// Appends, for each id of out[first_out, out.size()), the place in document.ids of the token that holds its first byte.
// Both spell the same bytes.
inline void append_parents(const Vocabulary& vocabulary, const SpannedIds& document, const IdArray& out,
                           std::size_t first_out, IdArray& parents) {
    const std::size_t n = out.size() - first_out;
    parents.reserve_more(n);
    TokenId* const places = parents.append_uninitialised(n);
    std::size_t begin = 0;           // of the id at hand, in bytes
    std::size_t place = 0, end = 0;  // the canonical token that `begin` is in or before, and its end
    if (document.n_ids != 0) end = vocabulary.token_bytes(document.ids[0]).size();
    for (std::size_t i = 0; i < n; ++i) {
        while (begin >= end && place + 1 < document.n_ids) end += vocabulary.token_bytes(document.ids[++place]).size();
        places[i] = static_cast<TokenId>(place);
        begin += vocabulary.token_bytes(out.data()[first_out + i]).size();
    }
}

}  // namespace fissile
