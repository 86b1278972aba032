// Finding added and special tokens in text, before anything else looks at it.
//
// Matches are leftmost, and of those that begin at one place the longest, among the tokens that are wanted. The tokens
// lie in a small trie, in which what has no choice is compared in one go; a scan for their first bytes (usually just
// '<') skips the text in between.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base.hpp"

namespace fissile {

enum AddedTokenFlag : std::uint32_t {
    kTokenSpecial = 1,
    kTokenLeftStrip = 2,    // takes the white space before it
    kTokenRightStrip = 4,   // takes the white space after it
    kTokenSingleWord = 8,   // only where no word character touches it
    kTokenNormalized = 16,  // found in the normalised text, not in the raw one
};

struct AddedToken {
    std::string content;
    TokenId id;
    std::uint32_t flags;
};

class SpecialTokens {
   public:
    explicit SpecialTokens(std::vector<AddedToken> tokens);

    bool empty() const { return tokens_.empty(); }
    const std::vector<AddedToken>& tokens() const { return tokens_; }

    struct Match {
        std::size_t begin, end;  // with stripped white space; begin == end == text.size() and token == npos: none
        std::size_t token;       // index into tokens()
        std::size_t content_end;
    };
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);

    // Which tokens a search looks for: one byte a token, not 0 for wanted.
    using Wanted = std::vector<std::uint8_t>;

    // The first match, and the one after another. As in `tokenizers`, matches are found first and white space is added
    // to them then, so one may begin in the space that was added to the one before; of that it gets none.
    Match first(Bytes text, const Wanted& wanted) const;
    Match next(Bytes text, const Match& last, const Wanted& wanted) const;

   private:
    struct Node {
        std::uint32_t first_edge = 0, n_edges = 0;
        std::uint32_t label_begin = 0, label_end = 0;  // in labels_: what all tokens from here on go on with
        std::size_t token = npos;                      // of them, the one that ends there
    };
    struct Edge {
        std::uint8_t byte;
        std::uint32_t node;
    };

    bool is_followed_by_one_byte(const std::vector<std::size_t>& tokens, std::size_t depth) const;
    std::size_t next_candidate(Bytes text, std::size_t from) const;

    std::vector<AddedToken> tokens_;
    std::vector<Node> nodes_;
    std::vector<Edge> edges_;
    std::vector<std::uint8_t> labels_;
    std::vector<std::uint8_t> first_bytes_;  // distinct first bytes
    std::array<bool, 256> is_first_{};
};

}  // namespace fissile
