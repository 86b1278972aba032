// The reachable tokens of a bytes vocabulary as a trie: the longest token a text begins with, and from there the next
// shorter one. Built when a long piece first asks for it.
#pragma once

#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class TokenTrie {
   public:
    explicit TokenTrie(const Vocabulary& vocabulary);

    // Longest token that `text` begins with; text is not empty and every byte is a token.
    TokenId longest_prefix(Bytes text) const;
    // Longest token that is a proper prefix of this token, or kNoToken for a single byte.
    TokenId next_shorter(TokenId id) const { return next_shorter_[id]; }

   private:
    struct Edge {
        std::uint32_t key;  // parent node << 8 | byte, plus one; 0 is empty
        std::uint32_t child;
    };
    static constexpr std::uint32_t kNone = 0xffffffffu;

    std::size_t home(std::uint32_t key) const { return (std::uint64_t{key} * kHashSeed1) >> shift_; }
    std::uint32_t child(std::uint32_t node, std::uint8_t byte) const {
        const std::uint32_t key = (node << 8 | byte) + 1;
        for (std::size_t slot = home(key);; slot = (slot + 1) & mask_) {
            if (edges_[slot].key == key) return edges_[slot].child;
            if (edges_[slot].key == 0) return kNone;
        }
    }

    std::vector<Edge> edges_;
    std::size_t mask_ = 0;
    unsigned shift_ = 0;
    std::vector<TokenId> token_at_;      // node -> token ending there, or kNoToken
    std::vector<TokenId> next_shorter_;  // token -> token
};

}  // namespace fissile
