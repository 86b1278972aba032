#include "vocab/token_prefixes.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "cpu/big_endian.hpp"
#include "cpu/hash.hpp"

namespace fissile {

namespace {

// Of texts of at least two bytes.
std::size_t range_of(Bytes text) { return std::size_t{text[0]} << 8 | text[1]; }
std::uint64_t key_of(Bytes text) {
    return big_endian(load_word(text.data() + 2, std::min<std::size_t>(text.size() - 2, 8)));
}

// Bytes that two texts have in common, which are known to be `n` at least.
std::size_t common(Bytes a, Bytes b, std::size_t n) {
    const std::size_t most = std::min(a.size(), b.size());
    while (n < most && a[n] == b[n]) ++n;
    return n;
}

struct Keyed {
    std::uint64_t key;
    TokenId id;
};

}  // namespace

TokenPrefixes::TokenPrefixes(const Vocabulary& vocabulary, Tokens tokens)
    : vocabulary_(&vocabulary), begins_((1 << 16) + 1), next_shorter_(vocabulary.n_vocab(), kNoToken) {
    const auto is_in = [&](TokenId id) {
        return !vocabulary.token_bytes(id).empty() &&
               (tokens == Tokens::kReachable ? vocabulary.is_reachable(id) : vocabulary.is_model(id));
    };
    // Places: single bytes first, then a range after the other.
    singles_.fill(kNone);
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        if (!is_in(id)) continue;
        const Bytes token = vocabulary.token_bytes(id);
        if (token.size() > 1) {
            ++begins_[range_of(token) + 1];
        } else {
            singles_[token[0]] = static_cast<std::uint32_t>(entries_.size());
            entries_.push_back({1, kNone, 0, id});
        }
    }
    begins_[0] = static_cast<std::uint32_t>(entries_.size());
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    std::vector<Keyed> keyed(begins_.back());
    std::vector<std::uint32_t> next(begins_.begin(), begins_.end() - 1);
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        const Bytes token = vocabulary.token_bytes(id);
        if (token.size() >= 2 && is_in(id)) keyed[next[range_of(token)]++] = {key_of(token), id};
    }
    const auto in_order = [&](const Keyed& a, const Keyed& b) {
        if (a.key != b.key) return a.key < b.key;
        const Bytes x = vocabulary.token_bytes(a.id), y = vocabulary.token_bytes(b.id);
        const std::size_t at = common(x, y, 2);
        if (at < x.size() && at < y.size()) return x[at] < y[at];
        return x.size() != y.size() ? x.size() < y.size() : a.id < b.id;
    };
    entries_.reserve(keyed.size());
    keys_.reserve(keyed.size());
    keys_.resize(entries_.size());
    for (std::size_t range = 0; range < 1 << 16; ++range) {
        std::sort(keyed.begin() + begins_[range], keyed.begin() + begins_[range + 1], in_order);
        // What a token begins with is the token before it, or is what that one begins with.
        for (std::uint32_t at = begins_[range]; at != begins_[range + 1]; ++at) {
            const auto [key, id] = keyed[at];
            const Bytes token = vocabulary.token_bytes(id);
            std::uint32_t place = singles_[range >> 8];
            if (at != begins_[range]) {
                std::size_t n_shared = n_common(at - 1, key, token);
                if (n_shared == token.size()) --n_shared;  // the same bytes again
                for (place = at - 1; place != kNone && entries_[place].n_bytes > n_shared;) {
                    place = entries_[place].shorter;
                }
            }
            keys_.push_back(key);
            entries_.push_back({static_cast<std::uint32_t>(token.size()), place, 0, id});
            if (place == kNone) continue;
            entries_.back().n_shorter = entries_[place].n_shorter + 1;
            next_shorter_[id] = entries_[place].id;
        }
    }
}

// Bytes that a text, of this key, has in common with a token of its range.
std::size_t TokenPrefixes::n_common(std::uint32_t place, std::uint64_t key, Bytes text) const {
    const std::size_t n = std::min<std::size_t>(entries_[place].n_bytes, text.size());
    const std::size_t told = 2 + static_cast<std::size_t>(std::countl_zero(keys_[place] ^ key)) / 8;
    if (told < kKeyEnd || n <= kKeyEnd) return std::min(told, n);
    return common(bytes_at(place), text, kKeyEnd);
}

// Whether a token of the text's range is not after it.
bool TokenPrefixes::is_before(std::uint32_t place, std::uint64_t key, Bytes text) const {
    if (keys_[place] != key) return keys_[place] < key;
    const std::size_t n = n_common(place, key, text);
    return n == entries_[place].n_bytes || (n < text.size() && bytes_at(place)[n] < text[n]);
}

std::uint32_t TokenPrefixes::longest_place(Bytes text) const {
    const std::uint32_t single = singles_[text[0]];
    if (text.size() == 1) return single;
    const std::size_t range = range_of(text);
    const std::uint32_t begin = begins_[range], end = begins_[range + 1];
    if (begin == end) return single;
    const std::uint64_t key = key_of(text);
    // The last that is not after the text: by keys, without a jump, and among equal keys by all bytes.
    std::uint32_t place = begin;
    for (std::uint32_t n = end - begin; n > 1; n -= n / 2) place += keys_[place + n / 2] < key ? n / 2 : 0;
    if (keys_[place] < key && place + 1 < end && keys_[place + 1] == key) ++place;
    if (keys_[place] == key) {
        if (place + 1 == end || keys_[place + 1] != key) {
            place += is_before(place, key, text) ? 1 : 0;
        } else {
            for (std::uint32_t n = end - place; n != 0;) {
                const std::uint32_t half = n / 2;
                if (is_before(place + half, key, text)) {
                    place += half + 1;
                    n -= half + 1;
                } else {
                    n = half;
                }
            }
        }
        if (place-- == begin) return single;
    } else if (keys_[place] > key) {
        return single;
    }
    const std::size_t n_shared = n_common(place, key, text);
    while (place != kNone && entries_[place].n_bytes > n_shared) place = entries_[place].shorter;
    return place;
}

}  // namespace fissile
