// Tokens of three to eight bytes, by their bytes: for finding all tokens in a word, whose parts can then be looked up
// in any order, each in one cache line.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "cpu/huge_buffer.hpp"
#include "cpu/prefetch.hpp"

namespace fissile {

class ShortTokens {
   public:
    static constexpr std::size_t kMinBytes = 3, kMaxBytes = 8;

    explicit ShortTokens(std::size_t n_tokens)
        : n_lines_(std::bit_ceil(n_tokens * 2 / kLine + 2)),
          memory_(n_lines_ * kLine * sizeof(Entry)),
          entries_(static_cast<Entry*>(memory_.data())) {}

    // Of text[0, n_bytes), eight bytes of which can be read.
    TokenId find(const std::uint8_t* text, std::size_t n_bytes) const {
        const std::uint64_t bytes = key_of(text, n_bytes);
        for (std::size_t line = line_of(bytes, n_bytes);; line = (line + 1) & (n_lines_ - 1)) {
            const Entry* const entries = entries_ + line * kLine;
            for (std::size_t i = 0; i < kLine; ++i) {
                if (entries[i].bytes == bytes && entries[i].n_bytes == n_bytes) return entries[i].id;
            }
            if (entries[kLine - 1].n_bytes == 0) return kNoToken;
        }
    }
    // Has what `find` will read brought near.
    FISSILE_PREFETCHES void ask(const std::uint8_t* text, std::size_t n_bytes) const {
        prefetch(entries_ + line_of(key_of(text, n_bytes), n_bytes) * kLine);
    }

    // At most n_tokens, each once.
    void insert(Bytes token, TokenId id) {
        const std::uint64_t bytes = load_word(token.data(), token.size());
        std::size_t line = line_of(bytes, token.size());
        for (;; line = (line + 1) & (n_lines_ - 1)) {
            for (Entry* entry = entries_ + line * kLine; entry != entries_ + (line + 1) * kLine; ++entry) {
                if (entry->n_bytes != 0) continue;
                *entry = {bytes, static_cast<std::uint32_t>(token.size()), id};
                return;
            }
        }
    }

   private:
    struct Entry {
        std::uint64_t bytes;
        std::uint32_t n_bytes;  // 0: none
        TokenId id;
    };
    static constexpr std::size_t kLine = 4;

    static std::uint64_t key_of(const std::uint8_t* text, std::size_t n_bytes) {
        return load_word(text, 8) & ~std::uint64_t{0} >> (64 - 8 * n_bytes);
    }
    std::size_t line_of(std::uint64_t bytes, std::size_t n_bytes) const {
        return hash_words(bytes, n_bytes) & (n_lines_ - 1);
    }

    std::size_t n_lines_;
    HugeBuffer memory_;
    Entry* entries_;
};

}  // namespace fissile
