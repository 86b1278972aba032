// Which tokens a text begins with: the longest, from there the next shorter one, or all of them. Made when a long
// piece, or a sampler, first asks for it.
//
// Tokens stand in order of their bytes, in ranges by their first two. The last of them that is not after the text
// shares with it as much as any does; the longest token that the text begins with is that one, or one that it begins
// with.
#pragma once

#include <array>
#include <cstdint>
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

    // Longest token that `text` begins with, or kNoToken; text is not empty.
    TokenId longest(Bytes text) const {
        const std::uint32_t place = longest_place(text);
        return place == kNone ? kNoToken : entries_[place].id;
    }
    // Longest token that is a proper prefix of this one, or kNoToken.
    TokenId next_shorter(TokenId id) const { return next_shorter_[id]; }

    // Calls visit(id, length) for every token that `text` begins with, shortest first; text is not empty.
    template <class Visit>
    void each(Bytes text, const Visit& visit) const {
        std::uint32_t place = longest_place(text);
        if (place == kNone) return;
        std::array<std::uint32_t, 64> few;
        std::vector<std::uint32_t> many;
        const std::size_t n = entries_[place].n_shorter + std::size_t{1};
        if (n > few.size()) many.resize(n);
        std::uint32_t* const places = n > few.size() ? many.data() : few.data();
        for (std::size_t i = n; i-- > 0; place = entries_[place].shorter) places[i] = place;
        for (std::size_t i = 0; i < n; ++i) visit(entries_[places[i]].id, std::size_t{entries_[places[i]].n_bytes});
    }

   private:
    struct Entry {
        std::uint32_t n_bytes;
        std::uint32_t shorter;    // place of the longest token that is a proper prefix
        std::uint32_t n_shorter;  // tokens that are one
        TokenId id;
    };
    static constexpr std::uint32_t kNone = 0xffffffffu;
    static constexpr std::size_t kKeyEnd = 10;  // bytes of a token that its range and its key tell

    Bytes bytes_at(std::uint32_t place) const { return vocabulary_->token_bytes(entries_[place].id); }
    bool is_before(std::uint32_t place, std::uint64_t key, Bytes text) const;
    std::size_t n_common(std::uint32_t place, std::uint64_t key, Bytes text) const;
    std::uint32_t longest_place(Bytes text) const;

    const Vocabulary* vocabulary_;
    std::vector<std::uint32_t> begins_;  // of the range of each first two bytes; single bytes stand before all ranges
    std::array<std::uint32_t, 256> singles_;  // place of the token of a byte, or kNone
    // Bytes 2 to 9 of each token, the first the highest; zeros where it has ended.
    std::vector<std::uint64_t> keys_;
    std::vector<Entry> entries_;
    std::vector<TokenId> next_shorter_;  // token -> token
};

}  // namespace fissile
