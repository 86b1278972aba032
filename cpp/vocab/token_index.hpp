// Token bytes -> token id, over tokens whose bytes lie in one flat array.
//
// A slot is one word of 32 bits: the id, and in the bits above it as much of the hash as there is room for. Half of
// what two words a token take is also half of what loading touches.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "cpu/prefetch.hpp"

namespace fissile {

class TokenIndex {
   public:
    // For at most n_tokens tokens with ids below n_ids.
    void reserve(std::size_t n_tokens, std::size_t n_ids) {
        const std::size_t n_slots = std::bit_ceil(n_tokens * 2 + 16);
        slots_.assign(n_slots, kEmpty);
        mask_ = n_slots - 1;
        // One bit more than the largest id needs where that is all ones: such a word is an empty slot.
        id_mask_ = static_cast<std::uint32_t>((std::uint64_t{1} << std::bit_width(n_ids)) - 1);
    }

    static std::uint64_t hash(Bytes token) { return hash_bytes(token.data(), token.size()); }
    // Has what `find` or `insert` read first brought near.
    FISSILE_PREFETCHES void ask(std::uint64_t hash) const noexcept { prefetch(&slots_[hash & mask_]); }

    // Id of a token, or kNoToken. `bytes_of(id)` gives the bytes of an id that was inserted.
    template <class BytesOf>
    TokenId find(Bytes token, const BytesOf& bytes_of) const {
        return find(token, hash(token), bytes_of);
    }
    template <class BytesOf>
    TokenId find(Bytes token, std::uint64_t hash, const BytesOf& bytes_of) const {
        const std::uint32_t tag = tag_of(hash);
        for (std::size_t slot = hash & mask_;; slot = (slot + 1) & mask_) {
            const std::uint32_t word = slots_[slot];
            if (word == kEmpty) return kNoToken;
            if (has_tag(word, tag) && equal(bytes_of(word & id_mask_), token)) return word & id_mask_;
        }
    }

    // Inserts, unless the bytes are there already: then the id they have comes back and nothing changes.
    template <class BytesOf>
    TokenId insert(TokenId id, const BytesOf& bytes_of) {
        return insert(id, hash(bytes_of(id)), bytes_of);
    }
    template <class BytesOf>
    TokenId insert(TokenId id, std::uint64_t hash, const BytesOf& bytes_of) {
        const std::uint32_t tag = tag_of(hash);
        for (std::size_t slot = hash & mask_;; slot = (slot + 1) & mask_) {
            std::uint32_t& word = slots_[slot];
            if (word == kEmpty) {
                word = tag | id;
                return id;
            }
            if (has_tag(word, tag) && equal(bytes_of(word & id_mask_), bytes_of(id))) return word & id_mask_;
        }
    }

   private:
    static constexpr std::uint32_t kEmpty = 0xffffffffu;

    std::uint32_t tag_of(std::uint64_t hash) const { return static_cast<std::uint32_t>(hash >> 32) & ~id_mask_; }
    bool has_tag(std::uint32_t word, std::uint32_t tag) const { return ((word ^ tag) & ~id_mask_) == 0; }
    // Most tokens are short, and calling for a comparison takes longer than it.
    static bool equal(Bytes a, Bytes b) {
        if (a.size() != b.size()) return false;
        const std::size_t n = a.size() < 8 ? a.size() : 8;
        return load_word(a.data(), n) == load_word(b.data(), n) &&
               (a.size() <= 8 || std::equal(a.begin() + 8, a.end(), b.begin() + 8));
    }

    std::vector<std::uint32_t> slots_;  // reserve() sizes it once, at a load below one half
    std::size_t mask_ = 0;
    std::uint32_t id_mask_ = 0;
};

}  // namespace fissile
