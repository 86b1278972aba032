#include "vocab/token_prefixes.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "cpu/big_endian.hpp"
#include "cpu/hash.hpp"

namespace fissile {

namespace {

// Of texts of at least two bytes.
std::size_t range_of(Bytes text) { return std::size_t{text[0]} << 8 | text[1]; }
// Bytes 2 to 9, the first the highest; zeros where the text has ended.
std::uint64_t key_of(Bytes text) {
    return big_endian(load_word(text.data() + 2, std::min<std::size_t>(text.size() - 2, 8)));
}

// Bytes that two texts have in common, which are known to be `n` at least.
std::size_t common(Bytes a, Bytes b, std::size_t n) {
    const std::size_t most = std::min(a.size(), b.size());
    while (n + 8 <= most && std::memcmp(a.data() + n, b.data() + n, 8) == 0) n += 8;
    while (n < most && a[n] == b[n]) ++n;
    return n;
}

struct Keyed {
    std::uint64_t key;
    TokenId id;
};

}  // namespace

// The keys of its tokens follow, and then their entries.
struct TokenPrefixes::Range {
    std::uint64_t n;

    std::uint64_t* keys() { return reinterpret_cast<std::uint64_t*>(this + 1); }
    const std::uint64_t* keys() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }
    Entry* entries() { return reinterpret_cast<Entry*>(keys() + n); }
    const Entry* entries() const { return reinterpret_cast<const Entry*>(keys() + n); }
};

TokenPrefixes::TokenPrefixes(const Vocabulary& vocabulary, Tokens tokens)
    : vocabulary_(&vocabulary),
      last_(kRanges),
      before_(vocabulary.n_vocab()),
      ranges_(std::make_unique<std::atomic<const Range*>[]>(kRanges)),
      next_shorter_(std::make_unique<std::atomic<TokenId>[]>(vocabulary.n_vocab())) {
    singles_.fill(kNoToken);
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        const Bytes token = vocabulary.token_bytes(id);
        if (token.empty() || !(tokens == Tokens::kReachable ? vocabulary.is_reachable(id) : vocabulary.is_model(id)))
            continue;
        if (token.size() == 1) {
            singles_[token[0]] = id;
            continue;
        }
        max_bytes_ = std::max(max_bytes_, token.size());
        TokenId& last = last_[range_of(token)];
        before_[id] = last;
        last = id + 1;
    }
}

TokenPrefixes::~TokenPrefixes() {
    for (std::size_t i = 0; i < kRanges; ++i) ::operator delete(const_cast<Range*>(ranges_[i].load()));
}

// Without a lock: where two threads make the same one, one of the two is dropped.
const TokenPrefixes::Range* TokenPrefixes::make_range(std::size_t index) const {
    std::vector<Keyed> keyed;
    for (TokenId next = last_[index]; next != 0; next = before_[next - 1]) {
        keyed.push_back({key_of(vocabulary_->token_bytes(next - 1)), next - 1});
    }
    if (keyed.empty()) return nullptr;
    std::sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
        if (a.key != b.key) return a.key < b.key;
        const Bytes x = vocabulary_->token_bytes(a.id), y = vocabulary_->token_bytes(b.id);
        const std::size_t at = common(x, y, 2);
        if (at < x.size() && at < y.size()) return x[at] < y[at];
        return x.size() != y.size() ? x.size() < y.size() : a.id < b.id;
    });
    const std::size_t n = keyed.size();
    auto* const range =
        static_cast<Range*>(::operator new(sizeof(Range) + n * (sizeof(std::uint64_t) + sizeof(Entry))));
    range->n = n;
    for (std::size_t i = 0; i < n; ++i) range->keys()[i] = keyed[i].key;
    Entry* const entries = range->entries();
    // What a token begins with is the token before it, or is what that one begins with.
    for (std::uint32_t at = 0; at < n; ++at) {
        const auto [key, id] = keyed[at];
        const Bytes token = vocabulary_->token_bytes(id);
        std::uint32_t shorter = kNone;
        if (at != 0) {
            std::size_t n_shared = n_common(*range, at - 1, key, token);
            if (n_shared == token.size()) --n_shared;  // the same bytes again
            for (shorter = at - 1; shorter != kNone && entries[shorter].n_bytes > n_shared;) {
                shorter = entries[shorter].shorter;
            }
        }
        const bool any = shorter != kNone;
        entries[at] = {static_cast<std::uint32_t>(token.size()), shorter, any ? entries[shorter].n_shorter + 1 : 0, id};
        next_shorter_[id].store((any ? entries[shorter].id : singles_[token[0]]) + 1, std::memory_order_relaxed);
    }
    const Range* seen = nullptr;
    if (ranges_[index].compare_exchange_strong(seen, range, std::memory_order_release, std::memory_order_acquire)) {
        return range;
    }
    ::operator delete(range);
    return seen;
}

// Bytes that a text, of this key, has in common with a token of its range.
std::size_t TokenPrefixes::n_common(const Range& range, std::uint32_t at, std::uint64_t key, Bytes text) const {
    const Entry& entry = range.entries()[at];
    const std::size_t n = std::min<std::size_t>(entry.n_bytes, text.size());
    const std::size_t told = 2 + static_cast<std::size_t>(std::countl_zero(range.keys()[at] ^ key)) / 8;
    if (told < kKeyEnd || n <= kKeyEnd) return std::min(told, n);
    return common(bytes_of(entry), text, kKeyEnd);
}

// Whether a token of the text's range is not after it.
bool TokenPrefixes::is_before(const Range& range, std::uint32_t at, std::uint64_t key, Bytes text) const {
    if (range.keys()[at] != key) return range.keys()[at] < key;
    const Entry& entry = range.entries()[at];
    const std::size_t n = n_common(range, at, key, text);
    return n == entry.n_bytes || (n < text.size() && bytes_of(entry)[n] < text[n]);
}

// No entry: at most the token of its first byte.
TokenPrefixes::Place TokenPrefixes::longest_place(Bytes text) const {
    if (text.size() == 1) return {};
    const std::size_t index = range_of(text);
    const Range* range = ranges_[index].load(std::memory_order_acquire);
    if (range == nullptr && (last_[index] == 0 || (range = make_range(index)) == nullptr)) return {};
    const std::uint64_t key = key_of(text);
    const std::uint64_t* const keys = range->keys();
    const auto end = static_cast<std::uint32_t>(range->n);
    // The last that is not after the text: by keys, without a jump, and among equal keys by all bytes.
    std::uint32_t at = 0;
    for (std::uint32_t n = end; n > 1; n -= n / 2) at += keys[at + n / 2] < key ? n / 2 : 0;
    if (keys[at] < key && at + 1 < end && keys[at + 1] == key) ++at;
    if (keys[at] == key) {
        if (at + 1 == end || keys[at + 1] != key) {
            at += is_before(*range, at, key, text) ? 1 : 0;
        } else {
            for (std::uint32_t n = end - at; n != 0;) {
                const std::uint32_t half = n / 2;
                if (is_before(*range, at + half, key, text)) {
                    at += half + 1;
                    n -= half + 1;
                } else {
                    n = half;
                }
            }
        }
        if (at-- == 0) return {};
    } else if (keys[at] > key) {
        return {};
    }
    const std::size_t n_shared = n_common(*range, at, key, text);
    Place place{range->entries(), range->entries() + at};
    while (place.entry != nullptr && place.entry->n_bytes > n_shared) place = place.shorter();
    return place;
}

}  // namespace fissile
