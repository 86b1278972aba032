#include "vocab/token_trie.hpp"

#include <bit>

namespace fissile {

TokenTrie::TokenTrie(const Vocabulary& vocabulary, Tokens tokens) : next_shorter_(vocabulary.n_vocab(), kNoToken) {
    const auto is_in = [&](TokenId id) {
        return tokens == Tokens::kReachable ? vocabulary.is_reachable(id)
                                            : vocabulary.is_model(id) && !vocabulary.token_bytes(id).empty();
    };
    std::size_t n_bytes = 0;
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        if (is_in(id)) n_bytes += vocabulary.token_bytes(id).size();
    }
    // Nodes 0 to 255 are the single bytes. A node number and a byte share 32 bits.
    if (n_bytes >= (1u << 24) - 512) throw Error("tokens hold too many bytes for a trie of 2^24 nodes");
    const std::size_t n_slots = std::bit_ceil(n_bytes * 2 + 16);
    edges_.assign(n_slots, Edge{0, 0});
    mask_ = n_slots - 1;
    shift_ = static_cast<unsigned>(64 - std::countr_zero(n_slots));
    token_at_.assign(256, kNoToken);
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        if (!is_in(id)) continue;
        const Bytes token = vocabulary.token_bytes(id);
        std::uint32_t node = token[0];
        for (const std::uint8_t byte : token.subspan(1)) {
            const std::uint32_t key = (node << 8 | byte) + 1;
            std::size_t slot = home(key);
            while (edges_[slot].key != 0 && edges_[slot].key != key) slot = (slot + 1) & mask_;
            if (edges_[slot].key == 0) {
                edges_[slot] = {key, static_cast<std::uint32_t>(token_at_.size())};
                token_at_.push_back(kNoToken);
            }
            node = edges_[slot].child;
        }
        token_at_[node] = id;
    }
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        if (!is_in(id)) continue;
        const Bytes token = vocabulary.token_bytes(id);
        if (token.size() > 1) next_shorter_[id] = longest_prefix(token.first(token.size() - 1));
    }
}

TokenId TokenTrie::longest_prefix(Bytes text) const {
    std::uint32_t node = text[0];
    TokenId longest = token_at_[node];
    for (const std::uint8_t byte : text.subspan(1)) {
        node = child(node, byte);
        if (node == kNone) break;
        if (token_at_[node] != kNoToken) longest = token_at_[node];
    }
    return longest;
}

}  // namespace fissile
