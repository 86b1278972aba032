#include "vocab/exact_cuts.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "text/ascii_words.hpp"
#include "text/utf8.hpp"

namespace fissile {

namespace {

constexpr bool is_continuation(std::uint8_t byte) { return (byte & 0xc0) == 0x80; }

constexpr std::size_t length_from_lead(std::uint8_t lead) {
    return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

std::uint32_t pack(const std::uint8_t* bytes, std::size_t n) { return static_cast<std::uint32_t>(load_word(bytes, n)); }

// pack(bytes, 3), where a fourth can be read.
std::uint32_t pack_three(const std::uint8_t* bytes) {
    std::uint32_t word;
    std::memcpy(&word, bytes, sizeof word);
    return word & 0xffffff;
}

// Whether three packed bytes are a character, but U+0800 to U+0FFF, U+D000 to U+DFFF and what may be a space.
bool is_three_bytes(std::uint32_t word) {
    constexpr std::uint32_t kSpace = 0x8196e2;  // U+2581
    return (word & 0xc0c0f0) == 0x8080e0 && (word & 0xf) != 0 && (word & 0xf) != 0xd && word != kSpace;
}

}  // namespace

ExactCuts::ExactCuts(const Vocabulary& vocabulary, bool before_spaces)
    : metaspace_(vocabulary.options().metaspace), before_spaces_(before_spaces) {
    std::vector<std::uint32_t> pairs;  // of their hashes what the table below has room for
    pairs.reserve(vocabulary.n_vocab());
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        if (!vocabulary.is_reachable(id)) continue;
        const auto [left, right] = vocabulary.split_of(id);
        if (left == kNoToken) continue;
        const Bytes token = vocabulary.token_bytes(id);
        const std::size_t border = vocabulary.token_bytes(left).size();
        // What is inside the parts has been noted, or will be.
        const bool is_both = border + vocabulary.token_bytes(right).size() == token.size();
        if (is_both && token[border - 1] < 0x80 && token[border] < 0x80 && vocabulary.is_reachable(left) &&
            vocabulary.is_reachable(right)) {
            note_ascii(token[border - 1], token[border]);
        } else {
            note_pairs(token, pairs);
        }
    }
    const auto is_lone_byte = [&](TokenId id) {
        return vocabulary.token_bytes(id).size() == 1 && !vocabulary.is_reachable(id);
    };
    bool any_lone_byte = false;  // mostly there is none, and no need to look at the merges
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) any_lone_byte |= is_lone_byte(id);
    if (any_lone_byte) {
        for (const Merge& merge : vocabulary.merges()) never_ |= is_lone_byte(merge.left) || is_lone_byte(merge.right);
    }
    constexpr std::size_t kMostWords = std::size_t{1} << 26;
    const std::size_t n_words = std::min(std::bit_ceil(pairs.size() / 4 + 16), kMostWords);  // 16 bits a pair, or more
    pairs_.assign(n_words, 0);
    pairs_mask_ = n_words - 1;
    for (const std::uint32_t h : pairs) {
        pairs_[(h >> 6) & pairs_mask_] |= std::uint64_t{1} << (h & 63);
    }
}

void ExactCuts::note_pairs(Bytes token, std::vector<std::uint32_t>& pairs) {
    for (std::size_t i = 1; i < token.size(); ++i) {
        if (token[i - 1] < 0x80 && token[i] < 0x80) {
            note_ascii(token[i - 1], token[i]);
            continue;
        }
        if (is_continuation(token[i])) continue;
        std::size_t begin = i - 1;
        while (begin > 0 && is_continuation(token[begin])) --begin;
        const bool left_partial = is_continuation(token[begin]);
        const std::size_t right_size = length_from_lead(token[i]);
        const bool right_partial = i + right_size > token.size();
        if (left_partial || right_partial) {
            partial_[token[i - 1]][token[i] >> 6] |= std::uint64_t{1} << (token[i] & 63);
        }
        // A longer run of continuation bytes than any character has stands in no valid text.
        const std::size_t left_size = i - begin;
        if (left_size > 4) continue;
        pairs.push_back(static_cast<std::uint32_t>(
            hash(left_partial ? kOneByteOnly | token[i - 1] : pack(token.data() + begin, left_size),
                 right_partial ? kOneByteOnly | token[i] : pack(token.data() + i, right_size))));
    }
}

bool ExactCuts::joined(std::uint32_t left, std::uint32_t right, std::uint8_t left_last,
                       std::uint8_t right_first) const {
    return in_set(left, right) ||
           (may_join_by_parts(left_last, right_first) && joined_by_parts(left, right, left_last, right_first));
}

// The cuts in front of the characters of three bytes from i on, of which `left` is in front of the first; returns where
// their run ends. Which of them join follows no rule, so nothing is jumped over.
std::size_t ExactCuts::cut_three_bytes(Bytes text, std::size_t i, std::uint32_t left, std::uint32_t* ends,
                                       std::size_t& n_ends, std::size_t capacity) const {
    std::size_t n = n_ends;
    while (i + 3 <= text.size() && n < capacity) {
        const std::uint32_t right = i + 4 <= text.size() ? pack_three(text.data() + i) : pack(text.data() + i, 3);
        if (!is_three_bytes(right)) break;
        bool keep = in_set(left, right);
        const auto left_last = static_cast<std::uint8_t>(left >> 16), right_first = static_cast<std::uint8_t>(right);
        if (may_join_by_parts(left_last, right_first)) keep |= joined_by_parts(left, right, left_last, right_first);
        ends[n] = static_cast<std::uint32_t>(i);
        n += !keep;
        left = right;
        i += 3;
    }
    n_ends = n;
    return i;
}

ScanResult ExactCuts::cut(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity) const {
    return cut_all<true>(text, position, ends, capacity);
}

ScanResult ExactCuts::cut_words(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity) const {
    return cut_all<false>(text, position, ends, capacity);
}

template <bool kInsideWords>
ScanResult ExactCuts::cut_all(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity) const {
    const std::uint8_t* const bytes = text.data();
    const std::size_t n = text.size();
    std::size_t n_ends = 0;
    if (position >= n) return {0, n};
    if (never_) {
        ends[0] = static_cast<std::uint32_t>(n);
        return {1, n};
    }
    std::size_t i = position;
    constexpr std::uint32_t kInvalidChar = 0;  // the packed bytes of NUL too, which is decided by the ASCII table
    std::uint32_t left = 0;
    bool left_ascii = false, have_left = false;
    while (i < n) {
        const std::uint8_t byte = bytes[i];
        if (byte < 0x80) {
            // Runs of ASCII: one bit test a byte.
            if (have_left) {
                const bool keep = left_ascii ? ascii_joined(static_cast<std::uint8_t>(left), byte)
                                             : left == kInvalidChar || joined(left, byte, bytes[i - 1], byte);
                if (!keep || (before_spaces_ && byte == ' ')) {
                    ends[n_ends++] = static_cast<std::uint32_t>(i);
                    if (n_ends == capacity) return {n_ends, i};
                } else if (left_ascii && left == byte) {
                    i = ascii::row_end(text, i) - 1;  // a row of one byte that is not cut
                }
            }
            ++i;
            if (!kInsideWords && ascii::is_letter(byte)) i = ascii::letters_end(text, i);
            left = bytes[i - 1];
            left_ascii = true;
        } else {
            const Char c = decode_char(bytes + i, n - i);
            const bool space = metaspace_ && c.code_point == 0x2581;
            const std::uint32_t right = c.code_point == kInvalid ? kInvalidChar
                                        : space                  ? ' '
                                                                 : pack(bytes + i, c.n_bytes);
            if (have_left) {
                bool keep;
                if (space && left_ascii) {
                    keep = ascii_joined(static_cast<std::uint8_t>(left), ' ');
                } else {
                    keep = right == kInvalidChar || (left == kInvalidChar && !left_ascii) ||
                           joined(left, right, left_ascii ? static_cast<std::uint8_t>(left) : bytes[i - 1],
                                  space ? std::uint8_t{' '} : byte);
                }
                if (!keep || (before_spaces_ && space)) {
                    ends[n_ends++] = static_cast<std::uint32_t>(i);
                    if (n_ends == capacity) return {n_ends, i};
                }
            }
            left = right;
            left_ascii = space;
            i += c.n_bytes;
            if (c.n_bytes == 3 && is_three_bytes(right)) {
                i = cut_three_bytes(text, i, right, ends, n_ends, capacity);
                if (n_ends == capacity) return {n_ends, ends[n_ends - 1]};
                left = pack(bytes + i - 3, 3);
            }
        }
        have_left = true;
    }
    ends[n_ends++] = static_cast<std::uint32_t>(n);
    return {n_ends, n};
}

}  // namespace fissile
