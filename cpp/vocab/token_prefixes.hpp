// Which tokens a text begins with: the longest, from there the next shorter one, or all of them. Made when a long
// piece, or a sampler, first asks for it.
//
// Tokens stand in order of their bytes, in ranges by their first two. The last of them that is not after the text
// shares with it as much as any does; the longest token that the text begins with is that one, or one that it begins
// with. A range is put in order when a text first falls into it: a row of spaces asks for one of thousands.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class TokenPrefixes {
   public:
    enum class Tokens : std::uint8_t {
        kReachable,  // that merging makes
        kModel,      // of the model, also those that merging never makes
    };
    // The vocabulary must outlive it.
    explicit TokenPrefixes(const Vocabulary& vocabulary, Tokens tokens = Tokens::kReachable);
    ~TokenPrefixes();
    TokenPrefixes(const TokenPrefixes&) = delete;
    TokenPrefixes& operator=(const TokenPrefixes&) = delete;

    // Longest token that `text` begins with, or kNoToken; text is not empty.
    TokenId longest(Bytes text) const {
        const Place place = longest_place(text);
        return place.entry == nullptr ? singles_[text[0]] : place.entry->id;
    }
    // Longest token that is a proper prefix of this one, or kNoToken; this one is of those that `longest`, `each` or
    // this function gave.
    TokenId next_shorter(TokenId id) const { return next_shorter_[id].load(std::memory_order_relaxed) - 1; }
    // Bytes of the longest token.
    std::size_t max_bytes() const { return max_bytes_; }

    // Calls visit(id, length) for every token that `text` begins with, shortest first; text is not empty.
    template <class Visit>
    void each(Bytes text, const Visit& visit) const {
        if (const TokenId single = singles_[text[0]]; single != kNoToken) visit(single, std::size_t{1});
        Place place = longest_place(text);
        if (place.entry == nullptr) return;
        std::array<const Entry*, 64> few;
        std::vector<const Entry*> many;
        const std::size_t n = place.entry->n_shorter + std::size_t{1};
        if (n > few.size()) many.resize(n);
        const Entry** const found = n > few.size() ? many.data() : few.data();
        for (std::size_t i = n; i-- > 0; place = place.shorter()) found[i] = place.entry;
        for (std::size_t i = 0; i < n; ++i) visit(found[i]->id, std::size_t{found[i]->n_bytes});
    }

   private:
    // A token of at least two bytes.
    struct Entry {
        std::uint32_t n_bytes;
        std::uint32_t shorter;    // which of its range is the longest token that is a proper prefix, or kNone
        std::uint32_t n_shorter;  // tokens of its range that are one
        TokenId id;
    };
    struct Range;  // in order of bytes
    struct Place {
        const Entry* entries;
        const Entry* entry;  // or null

        Place shorter() const { return {entries, entry->shorter == kNone ? nullptr : entries + entry->shorter}; }
    };
    static constexpr std::uint32_t kNone = 0xffffffffu;
    static constexpr std::size_t kKeyEnd = 10;  // bytes of a token that its range and its key tell
    static constexpr std::size_t kRanges = std::size_t{1} << 16;

    Bytes bytes_of(const Entry& entry) const { return vocabulary_->token_bytes(entry.id); }
    bool is_before(const Range& range, std::uint32_t at, std::uint64_t key, Bytes text) const;
    std::size_t n_common(const Range& range, std::uint32_t at, std::uint64_t key, Bytes text) const;
    Place longest_place(Bytes text) const;
    const Range* make_range(std::size_t range) const;

    const Vocabulary* vocabulary_;
    std::size_t max_bytes_ = 1;
    std::array<TokenId, 256> singles_;  // the token of a byte, or kNoToken
    // Tokens of each range in no order: the last, from each token to the one before. Plus one; 0: none.
    std::vector<TokenId> last_, before_;
    mutable std::unique_ptr<std::atomic<const Range*>[]> ranges_;
    mutable std::unique_ptr<std::atomic<TokenId>[]> next_shorter_;  // token -> token plus one; 0: none
};

}  // namespace fissile
