#include "text/charsmap.hpp"

#include <algorithm>
#include <cstring>

#include "text/utf8.hpp"

namespace fissile {

namespace {

constexpr std::string_view kMetaspace = "\xe2\x96\x81";

// SentencePiece looks at so many prefixes of a text at most.
constexpr int kMaxPrefixes = 32;

// The parts of a unit, as darts.h of darts-clone has them.
bool has_leaf(std::uint32_t unit) { return ((unit >> 8) & 1) != 0; }
std::uint32_t value(std::uint32_t unit) { return unit & 0x7fffffffu; }
std::uint32_t label(std::uint32_t unit) { return unit & 0x800000ffu; }
std::uint32_t offset(std::uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }

}  // namespace

CharsMap::CharsMap(Bytes table, const std::string& source) {
    if (table.empty()) return;
    const auto fail = [&](const std::string& what) { throw FileError(source + ": precompiled_charsmap " + what); };
    if (table.size() <= 4) fail("has " + std::to_string(table.size()) + " bytes, expected a table");
    const auto word = [&](std::size_t at) {
        return std::uint32_t{table[at]} | std::uint32_t{table[at + 1]} << 8 | std::uint32_t{table[at + 2]} << 16 |
               std::uint32_t{table[at + 3]} << 24;
    };
    const std::size_t n_trie = word(0);
    if (n_trie > table.size() - 4 || n_trie % 4 != 0 || n_trie == 0) {
        fail("says that " + std::to_string(n_trie) + " of its " + std::to_string(table.size() - 4) +
             " bytes are a trie");
    }
    units_.reserve(n_trie / 4);
    for (std::size_t i = 4; i < 4 + n_trie; i += 4) units_.push_back(word(i));
    replacements_ = as_chars(table.subspan(4 + n_trie));
}

// Calls visit(n_bytes, value) for each entry that the text begins with, shortest first, until it returns false.
template <class Visit>
void CharsMap::visit_prefixes(Bytes text, const Visit& visit) const noexcept {
    if (units_.empty()) return;
    std::size_t node = offset(units_[0]);
    for (std::size_t i = 0; i < text.size(); ++i) {
        node ^= text[i];
        if (node >= units_.size() || label(units_[node]) != text[i]) return;
        const std::uint32_t unit = units_[node];
        node ^= offset(unit);
        if (!has_leaf(unit)) continue;
        if (node >= units_.size() || !visit(i + 1, value(units_[node]))) return;
    }
}

bool CharsMap::replacement_at(std::uint32_t at, std::string_view& replacement) const noexcept {
    if (at >= replacements_.size()) return false;
    const char* const begin = replacements_.data() + at;
    const void* const end = std::memchr(begin, 0, replacements_.size() - at);
    replacement = {begin, end == nullptr ? replacements_.size() - at
                                         : static_cast<std::size_t>(static_cast<const char*>(end) - begin)};
    return true;
}

CharsMap::Match CharsMap::longest(Bytes text) const noexcept {
    std::size_t n_bytes = 0;
    std::uint32_t at = 0;
    int n_seen = 0;
    visit_prefixes(text, [&](std::size_t n, std::uint32_t value) {
        n_bytes = n;
        at = value;
        return ++n_seen < kMaxPrefixes;
    });
    Match match;
    if (n_bytes != 0 && replacement_at(at, match.replacement)) match.n_bytes = n_bytes;
    return match;
}

CharsMap::Match CharsMap::shortest(Bytes text) const noexcept {
    Match match;
    visit_prefixes(text, [&](std::size_t n, std::uint32_t value) {
        if (replacement_at(value, match.replacement)) match.n_bytes = n;
        return false;
    });
    return match;
}

SentencePieceNormalizer::SentencePieceNormalizer(CharsMap map, std::vector<std::string> protected_pieces,
                                                 SentencePieceOptions options)
    : map_(std::move(map)), options_(options) {
    std::sort(protected_pieces.begin(), protected_pieces.end(),
              [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
    for (std::string& piece : protected_pieces) {
        if (!piece.empty()) protected_[static_cast<std::uint8_t>(piece[0])].push_back(std::move(piece));
    }
}

CharsMap::Match SentencePieceNormalizer::prefix(Bytes text) const noexcept {
    for (const std::string& piece : protected_[text[0]]) {
        if (as_chars(text).substr(0, piece.size()) == piece) return {piece.size(), piece};
    }
    const CharsMap::Match match = map_.longest(text);
    if (match.n_bytes != 0) return match;
    const std::size_t n_bytes = decode_char(text.data(), text.size()).n_bytes;
    return {n_bytes, as_chars(text.first(n_bytes))};
}

void SentencePieceNormalizer::normalize(Bytes text, std::vector<std::uint8_t>& normalized,
                                        std::vector<std::int64_t>* sources) const {
    normalized.clear();
    if (sources != nullptr) sources->clear();
    std::int64_t n_characters = 0;  // of the text, up to here
    std::size_t at = 0;
    const auto put = [&](char byte, std::int64_t character) {
        normalized.push_back(static_cast<std::uint8_t>(byte));
        if (sources != nullptr) sources->push_back(character);
    };
    const auto pass = [&](std::size_t n_bytes) {
        const std::size_t end = at + n_bytes;
        if (sources == nullptr) {
            at = end;
            return;
        }
        for (; at < end; ++n_characters) at += decode_char(text.data() + at, text.size() - at).n_bytes;
    };
    while (options_.remove_extra_whitespaces && at < text.size()) {
        const CharsMap::Match match = prefix(text.subspan(at));
        if (match.replacement != " ") break;
        pass(match.n_bytes);
    }
    if (at == text.size()) return;
    if (options_.add_dummy_prefix && !options_.whitespace_as_suffix) put(' ', n_characters);
    bool after_space = options_.remove_extra_whitespaces;
    while (at < text.size()) {
        const CharsMap::Match match = prefix(text.subspan(at));
        std::string_view with = match.replacement;
        // What stays as it is keeps its characters apart; what is replaced stands for the first of them.
        const bool stays = with == as_chars(text.subspan(at, match.n_bytes));
        std::int64_t character = n_characters;
        while (after_space && !with.empty() && with[0] == ' ') {
            with.remove_prefix(1);
            character += stays;
        }
        if (!with.empty()) {
            for (std::size_t i = 0; i < with.size();) {
                const bool metaspace = with.substr(i, kMetaspace.size()) == kMetaspace;
                put(metaspace ? ' ' : with[i], character);
                i += metaspace ? kMetaspace.size() : 1;
                const bool ends = i == with.size() || (static_cast<std::uint8_t>(with[i]) & 0xc0) != 0x80;
                if (stays && ends && i < with.size()) ++character;
            }
            after_space = options_.remove_extra_whitespaces && with.back() == ' ';
        }
        pass(match.n_bytes);
    }
    while (options_.remove_extra_whitespaces && !normalized.empty() && normalized.back() == ' ') {
        normalized.pop_back();
        if (sources != nullptr) sources->pop_back();
    }
    if (options_.add_dummy_prefix && options_.whitespace_as_suffix) {
        put(' ', std::max<std::int64_t>(n_characters - 1, 0));
    }
}

}  // namespace fissile
