// Token bytes -> token id, over tokens whose bytes lie in one flat array.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"

namespace fissile {

class TokenIndex {
   public:
    void reserve(std::size_t n_tokens) {
        const std::size_t n_slots = std::bit_ceil(n_tokens * 2 + 16);
        slots_.assign(n_slots, Slot{0, kNoToken});
        mask_ = n_slots - 1;
    }

    // Id of a token, or kNoToken. `bytes_of(id)` gives the bytes of an id that was inserted.
    template <class BytesOf>
    TokenId find(Bytes token, const BytesOf& bytes_of) const {
        const auto tag = static_cast<std::uint32_t>(hash_bytes(token.data(), token.size()) >> 32);
        for (std::size_t slot = tag & mask_;; slot = (slot + 1) & mask_) {
            const Slot& s = slots_[slot];
            if (s.id == kNoToken) return kNoToken;
            if (s.tag == tag && equal(bytes_of(s.id), token)) return s.id;
        }
    }

    // Inserts, unless the bytes are there already: then the id they have comes back and nothing changes.
    template <class BytesOf>
    TokenId insert(TokenId id, const BytesOf& bytes_of) {
        const Bytes token = bytes_of(id);
        const auto tag = static_cast<std::uint32_t>(hash_bytes(token.data(), token.size()) >> 32);
        for (std::size_t slot = tag & mask_;; slot = (slot + 1) & mask_) {
            Slot& s = slots_[slot];
            if (s.id == kNoToken) {
                s = {tag, id};
                return id;
            }
            if (s.tag == tag && equal(bytes_of(s.id), token)) return s.id;
        }
    }

   private:
    struct Slot {
        std::uint32_t tag;
        TokenId id;
    };

    static bool equal(Bytes a, Bytes b) {
        return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
    }

    std::vector<Slot> slots_;  // reserve() sizes it once, at a load below one half
    std::size_t mask_ = 0;
};

}  // namespace fissile
