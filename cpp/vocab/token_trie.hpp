// Tokens of a vocabulary as a trie: the longest token a text begins with, and from there the next shorter one; or all
// that it begins with. Built when a long piece, or a sampler, first asks for it.
#pragma once

#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class TokenTrie {
   public:
    enum class Tokens : std::uint8_t {
        kReachable,  // that merging makes
        kModel,      // of the model, also those that merging never makes
    };
    explicit TokenTrie(const Vocabulary& vocabulary, Tokens tokens = Tokens::kReachable);

    // Longest token that `text` begins with, or kNoToken; text is not empty.
    TokenId longest_prefix(Bytes text) const;
    // Longest token that is a proper prefix of this token, or kNoToken for a single byte.
    TokenId next_shorter(TokenId id) const { return next_shorter_[id]; }

    // Calls visit(id, length) for every token that `text` begins with, shortest first; text is not empty.
    template <class Visit>
    void each_prefix(Bytes text, const Visit& visit) const {
        std::uint32_t node = text[0];
        for (std::size_t length = 1;; ++length) {
            if (token_at_[node] != kNoToken) visit(token_at_[node], length);
            if (length == text.size()) return;
            node = child(node, text[length]);
            if (node == kNone) return;
        }
    }

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
