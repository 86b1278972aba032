#include "merge/merge_backtrack.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/hash.hpp"

namespace fissile {

namespace {
constexpr unsigned kStepsAtOnce = 4096;  // between two looks at an interrupt

// Whether no merge across the border of two tokens comes before `limit`. Orders are doubled: of two merges of one rank
// the left one is first.
// `across`: rank of the merge of the two.
bool stay_apart(const Vocabulary& vocabulary, TokenId left, TokenId right, std::uint32_t across,
                std::uint64_t limit) noexcept {
    // Undo the merges of both in reverse order. `limit` is the order of the merge undone last: a merge across the
    // border that comes before it would have been taken in its place.
    for (;;) {
        if (across != kNoRank && 2 * (std::uint64_t{across} + 1) < limit) return false;
        const std::uint32_t left_order = vocabulary.merge_order(left), right_order = vocabulary.merge_order(right);
        if (left_order == 0 && right_order == 0) return true;
        if (left_order > right_order) {
            // A merge across of the same rank lies further right, so this one was first: limit excludes equality.
            limit = 2 * std::uint64_t{left_order};
            left = vocabulary.split_of(left).second;
        } else {
            limit = 2 * std::uint64_t{right_order} + 1;
            right = vocabulary.split_of(right).first;
        }
        across = vocabulary.pairs().find(left, right);
    }
}

// Where the bytes of a piece repeat those `period` bytes before them.
class Repeats {
   public:
    explicit Repeats(Bytes piece) : piece_(piece) {}

    // The end of the stretch of them that holds `from`, which is not below `period`; `from` if it does not repeat.
    std::size_t end(std::size_t from, std::size_t period) noexcept {
        if (period != period_ || from < begin_ || from > end_) {
            period_ = period;
            begin_ = end_ = from;
            const std::uint8_t* const bytes = piece_.data();
            while (end_ + 8 <= piece_.size() && std::memcmp(bytes + end_, bytes + end_ - period, 8) == 0) end_ += 8;
            while (end_ < piece_.size() && bytes[end_] == bytes[end_ - period]) ++end_;
        }
        return end_;
    }

   private:
    Bytes piece_;
    std::size_t period_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace

bool is_canonical_pair(const Vocabulary& vocabulary, TokenId left, TokenId right) noexcept {
    return stay_apart(vocabulary, left, right, vocabulary.pairs().find(left, right), ~std::uint64_t{0});
}

bool CanonicalPairs::hold(TokenId left, TokenId right) noexcept {
    const std::uint64_t pair = std::uint64_t{left} << 32 | right | kKnown;
    std::atomic<std::uint64_t>& place = words_[(pair * kHashSeed1) >> (64 - kBits)];
    std::uint64_t word = place.load(std::memory_order_relaxed);
    if ((word & ~kYes) != pair) {
        word = is_canonical_pair(vocabulary_, left, right) ? pair | kYes : pair;
        place.store(word, std::memory_order_relaxed);
    }
    return (word & kYes) != 0;
}

bool is_canonical_pair_at(const Vocabulary& vocabulary, TokenId left, TokenId right, std::uint32_t rank) noexcept {
    const std::uint32_t across = vocabulary.pairs().find(left, right);
    return across == rank && stay_apart(vocabulary, left, right, across, 2 * (std::uint64_t{rank} + 1));
}

void merge_backtrack(const Vocabulary& vocabulary, const TokenPrefixes& prefixes, CanonicalPairs& pairs, Bytes piece,
                     std::vector<TokenId>& ids, BacktrackScratch& scratch, Interrupt* interrupt) {
    const std::size_t n = piece.size();
    const std::size_t base = ids.size();
    scratch.dead.assign(n / 64 + 1, 0);
    Repeats repeats(piece);
    const auto is_dead = [&](std::size_t i) { return (scratch.dead[i >> 6] >> (i & 63)) & 1; };
    std::size_t position = 0;
    unsigned step = 0;
    const auto take_step = [&] {
        if (++step % kStepsAtOnce == 0 && interrupt != nullptr) interrupt->check_now();
    };
    TokenId candidate = n == 0 ? kNoToken : prefixes.longest(piece);
    TokenId longest = candidate;
    while (position < n) {
        take_step();
        // Longest candidate that ends where encodings go on and that its left neighbour tolerates.
        while (candidate != kNoToken && (is_dead(position + vocabulary.token_bytes(candidate).size()) ||
                                         (ids.size() > base && !pairs.hold(ids.back(), candidate)))) {
            candidate = prefixes.next_shorter(candidate);
        }
        if (candidate != kNoToken) {
            const std::size_t size = vocabulary.token_bytes(candidate).size();
            const bool again = candidate == longest && ids.size() > base && ids.back() == candidate;
            ids.push_back(candidate);
            position += size;
            // The longest token here, beside itself: so it is as long as what is ahead stays the same.
            if (again) {
                const std::size_t end = repeats.end(position, size);
                while (position + std::max(size, prefixes.max_bytes()) <= end && !is_dead(position + size)) {
                    take_step();
                    ids.push_back(candidate);
                    position += size;
                }
            }
            if (position < n) longest = candidate = prefixes.longest(piece.subspan(position));
        } else {
            // Dead: take the last token back and go on with the next shorter one in its place. The first position
            // never dies, since the canonical encoding exists.
            scratch.dead[position >> 6] |= std::uint64_t{1} << (position & 63);
            const TokenId last = ids.back();
            ids.pop_back();
            position -= vocabulary.token_bytes(last).size();
            candidate = prefixes.next_shorter(last);
            longest = kNoToken;
        }
    }
}

}  // namespace fissile
