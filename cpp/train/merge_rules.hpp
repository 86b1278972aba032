// Which pairs may become a token at all, from what is known of each token: the options of training that forbid.
//
// The strings are never looked at again: everything asked is additive or about the ends of the two parts.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base.hpp"

namespace fissile {

struct MergeRules {
    static constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();

    std::uint64_t max_length = kAny;  // of a token, inclusive
    bool length_in_chars = false;     // of UTF-8, a token's share being the characters that begin in it; else bytes
    // As `tokenizers` does it: tokens must be shorter than max_length, but two symbols of the alphabet always merge.
    bool strict_length = false;
    // Superwords. A word is what lies between spaces; empty ones do not count.
    std::uint64_t max_words = kAny;
    bool colon_space = true;  // whether a token may hold ": "
    bool newline_end = true;  // whether a merge may end with a newline
};

class TokenShapes {
   public:
    explicit TokenShapes(MergeRules rules) : rules_(rules) {}

    void add(Bytes token, bool is_symbol) {
        Shape s;
        bool in_word = false;
        for (std::size_t i = 0; i < token.size(); ++i) {
            const std::uint8_t c = token[i];
            if (!rules_.length_in_chars || (c & 0xc0) != 0x80) ++s.length;
            s.n_words += c != ' ' && !in_word;
            in_word = c != ' ';
            if (c == ' ' && i > 0 && token[i - 1] == ':') s.has_colon_space = true;
        }
        s.first = token.empty() ? 0 : token.front();
        s.last = token.empty() ? 0 : token.back();
        s.is_symbol = is_symbol;
        shapes_.push_back(s);
    }
    // The token that two others make.
    void add_joined(TokenId left, TokenId right) {
        const Shape &l = shapes_[left], &r = shapes_[right];
        shapes_.push_back({l.length + r.length, words(l, r), l.first, r.last, has_colon_space(l, r), false});
    }

    bool allows(TokenId left, TokenId right) const {
        const Shape &l = shapes_[left], &r = shapes_[right];
        const std::uint64_t length = l.length + r.length;
        if (rules_.strict_length) {
            if (length >= rules_.max_length && !(l.is_symbol && r.is_symbol)) return false;
        } else if (length > rules_.max_length) {
            return false;
        }
        return (rules_.max_words == MergeRules::kAny || words(l, r) <= rules_.max_words) &&
               (rules_.colon_space || !has_colon_space(l, r)) && (rules_.newline_end || r.last != '\n');
    }

   private:
    struct Shape {
        std::uint64_t length = 0, n_words = 0;
        std::uint8_t first = 0, last = 0;
        bool has_colon_space = false, is_symbol = false;
    };

    static std::uint64_t words(const Shape& l, const Shape& r) {
        const bool same_word = l.n_words > 0 && r.n_words > 0 && l.last != ' ' && r.first != ' ';
        return l.n_words + r.n_words - (same_word ? 1 : 0);
    }
    static bool has_colon_space(const Shape& l, const Shape& r) {
        return l.has_colon_space || r.has_colon_space || (l.last == ':' && r.first == ' ');
    }

    MergeRules rules_;
    std::vector<Shape> shapes_;
};

}  // namespace fissile
