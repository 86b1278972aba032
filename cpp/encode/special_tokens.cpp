#include "encode/special_tokens.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "text/unicode_class.hpp"
#include "text/utf8.hpp"
#include "text/word_class.hpp"

namespace fissile {

namespace {

// Start of the character that ends at text[end), end > 0.
std::size_t character_before(Bytes text, std::size_t end) {
    std::size_t begin = end - 1;
    for (std::size_t n = 2; n <= 4 && n <= end && (text[begin] & 0xc0) == 0x80; ++n) {
        const Char c = decode_char(text.data() + end - n, n);
        if (c.code_point != kInvalid && c.n_bytes == n) return end - n;
        begin = end - n;
    }
    return end - 1;
}

bool is_space(std::uint32_t code_point) { return (char_flags(code_point) & kSpace) != 0; }

}  // namespace

SpecialTokens::SpecialTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
    // Build level by level, so that a node's edges lie together.
    struct Pending {
        std::uint32_t node;
        std::size_t depth;
        std::vector<std::size_t> members;
    };
    std::vector<Pending> queue(1);
    nodes_.emplace_back();
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        if (tokens_[i].content.empty()) throw Error("added token " + std::to_string(tokens_[i].id) + " is empty");
        queue[0].members.push_back(i);
    }
    for (std::size_t at = 0; at < queue.size(); ++at) {
        Pending pending = std::move(queue[at]);
        nodes_[pending.node].label_begin = static_cast<std::uint32_t>(labels_.size());
        for (; is_followed_by_one_byte(pending.members, pending.depth); ++pending.depth) {
            labels_.push_back(static_cast<std::uint8_t>(tokens_[pending.members[0]].content[pending.depth]));
        }
        nodes_[pending.node].label_end = static_cast<std::uint32_t>(labels_.size());
        std::map<std::uint8_t, std::vector<std::size_t>> by_byte;
        for (const std::size_t i : pending.members) {
            const std::string& content = tokens_[i].content;
            if (content.size() == pending.depth) {
                if (nodes_[pending.node].token == npos) nodes_[pending.node].token = i;
            } else {
                by_byte[static_cast<std::uint8_t>(content[pending.depth])].push_back(i);
            }
        }
        nodes_[pending.node].first_edge = static_cast<std::uint32_t>(edges_.size());
        nodes_[pending.node].n_edges = static_cast<std::uint32_t>(by_byte.size());
        for (auto& [byte, members] : by_byte) {
            edges_.push_back({byte, static_cast<std::uint32_t>(nodes_.size())});
            queue.push_back({static_cast<std::uint32_t>(nodes_.size()), pending.depth + 1, std::move(members)});
            nodes_.emplace_back();
        }
    }
    for (const AddedToken& token : tokens_) is_first_[static_cast<std::uint8_t>(token.content[0])] = true;
    for (unsigned byte = 0; byte < 256; ++byte) {
        if (is_first_[byte]) first_bytes_.push_back(static_cast<std::uint8_t>(byte));
    }
}

// Whether all tokens go on from `depth`, with the same byte.
bool SpecialTokens::is_followed_by_one_byte(const std::vector<std::size_t>& tokens, std::size_t depth) const {
    if (tokens.empty()) return false;
    const std::string& first = tokens_[tokens[0]].content;
    return std::ranges::all_of(tokens, [&](std::size_t i) {
        const std::string& content = tokens_[i].content;
        return content.size() > depth && content[depth] == first[depth];
    });
}

std::size_t SpecialTokens::next_candidate(Bytes text, std::size_t from) const {
    const std::size_t n = text.size();
    if (from >= n || first_bytes_.empty()) return n;
    if (first_bytes_.size() == 1) {
        const void* found = std::memchr(text.data() + from, first_bytes_[0], n - from);
        return found == nullptr ? n : static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - text.data());
    }
    if (first_bytes_.size() <= 4) {
        // Whole blocks without any of the bytes are skipped by a loop that compilers vectorise.
        std::uint8_t b[4];
        for (std::size_t i = 0; i < 4; ++i) b[i] = first_bytes_[std::min(i, first_bytes_.size() - 1)];
        constexpr std::size_t kBlock = 64;
        while (from + kBlock <= n) {
            const std::uint8_t* const p = text.data() + from;
            std::uint8_t any = 0;
            for (std::size_t i = 0; i < kBlock; ++i) {
                any |= static_cast<std::uint8_t>((p[i] == b[0]) | (p[i] == b[1]) | (p[i] == b[2]) | (p[i] == b[3]));
            }
            if (any != 0) break;
            from += kBlock;
        }
    }
    while (from < n && !is_first_[text[from]]) ++from;
    return from;
}

SpecialTokens::Match SpecialTokens::first(Bytes text, const Wanted& wanted) const {
    return next(text, {0, 0, npos, 0}, wanted);
}

SpecialTokens::Match SpecialTokens::next(Bytes text, const Match& last, const Wanted& wanted) const {
    const std::size_t n = text.size();
    for (std::size_t begin = next_candidate(text, last.content_end); begin < n;) {
        std::size_t best = npos, best_end = 0;
        const Node* node = &nodes_[0];
        for (std::size_t i = begin;;) {
            const std::uint8_t* label = labels_.data() + node->label_begin;
            const std::uint8_t* const label_end = labels_.data() + node->label_end;
            while (label != label_end && i < n && *label == text[i]) ++label, ++i;
            if (label != label_end) break;
            if (node->token != npos && wanted[node->token] != 0) {
                best = node->token;
                best_end = i;
            }
            if (i == n) break;
            const Edge* const edges = edges_.data() + node->first_edge;
            const Edge* const edge = std::lower_bound(edges, edges + node->n_edges, text[i],
                                                      [](const Edge& e, std::uint8_t byte) { return e.byte < byte; });
            if (edge == edges + node->n_edges || edge->byte != text[i]) break;
            node = &nodes_[edge->node];
            ++i;
        }
        if (best == npos) {
            begin = next_candidate(text, begin + 1);
            continue;
        }
        const std::uint32_t flags = tokens_[best].flags;
        std::size_t match_begin = begin, match_end = best_end;
        if ((flags & kTokenSingleWord) != 0) {
            const auto is_word_at = [&](std::size_t at, std::size_t end) {
                return is_word_character(decode_char(text.data() + at, end - at).code_point);
            };
            const bool word_before = begin > 0 && is_word_at(character_before(text, begin), begin);
            const bool word_after = best_end < n && is_word_at(best_end, n);
            if (word_before || word_after) {
                begin = next_candidate(text, best_end);
                continue;
            }
        }
        if ((flags & kTokenLeftStrip) != 0) {
            while (match_begin > last.end) {
                const std::size_t before = character_before(text, match_begin);
                if (before < last.end || !is_space(decode_char(text.data() + before, match_begin - before).code_point))
                    break;
                match_begin = before;
            }
        }
        if ((flags & kTokenRightStrip) != 0) {
            while (match_end < n) {
                const Char c = decode_char(text.data() + match_end, n - match_end);
                if (!is_space(c.code_point)) break;
                match_end += c.n_bytes;
            }
        }
        return {std::max(match_begin, last.end), std::max(match_end, last.end), best, best_end};
    }
    return {n, n, npos, n};
}

}  // namespace fissile
