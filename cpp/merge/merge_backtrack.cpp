#include "merge/merge_backtrack.hpp"

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

// Pairs asked about lately: the pieces that are this long repeat themselves, as rules and rows of spaces do.
class KnownPairs {
   public:
    KnownPairs(const Vocabulary& vocabulary, std::vector<std::uint64_t>& words)
        : vocabulary_(vocabulary), words_(words) {
        words_.assign(std::size_t{1} << kBits, 0);
    }

    bool are_canonical(TokenId left, TokenId right) noexcept {
        const std::uint64_t pair = std::uint64_t{left} << 32 | right | kKnown;
        std::uint64_t& word = words_[(pair * kHashSeed1) >> (64 - kBits)];
        if ((word & ~kYes) != pair) word = is_canonical_pair(vocabulary_, left, right) ? pair | kYes : pair;
        return (word & kYes) != 0;
    }

   private:
    static constexpr unsigned kBits = 12;
    // Bits that ids leave free.
    static constexpr std::uint64_t kKnown = std::uint64_t{1} << 62, kYes = std::uint64_t{1} << 63;
    static_assert(kMaxTokenId < 1u << 30);

    const Vocabulary& vocabulary_;
    std::vector<std::uint64_t>& words_;
};

}  // namespace

bool is_canonical_pair(const Vocabulary& vocabulary, TokenId left, TokenId right) noexcept {
    return stay_apart(vocabulary, left, right, vocabulary.pairs().find(left, right), ~std::uint64_t{0});
}

bool is_canonical_pair_at(const Vocabulary& vocabulary, TokenId left, TokenId right, std::uint32_t rank) noexcept {
    const std::uint32_t across = vocabulary.pairs().find(left, right);
    return across == rank && stay_apart(vocabulary, left, right, across, 2 * (std::uint64_t{rank} + 1));
}

void merge_backtrack(const Vocabulary& vocabulary, const TokenPrefixes& prefixes, Bytes piece,
                     std::vector<TokenId>& ids, BacktrackScratch& scratch, Interrupt* interrupt) {
    const std::size_t n = piece.size();
    const std::size_t base = ids.size();
    scratch.dead.assign(n / 64 + 1, 0);
    KnownPairs pairs(vocabulary, scratch.pairs);
    const auto is_dead = [&](std::size_t i) { return (scratch.dead[i >> 6] >> (i & 63)) & 1; };
    std::size_t position = 0;
    TokenId candidate = n == 0 ? kNoToken : prefixes.longest(piece);
    for (unsigned step = 1; position < n; ++step) {
        if (step % kStepsAtOnce == 0 && interrupt != nullptr) interrupt->check_now();
        // Longest candidate that ends where encodings go on and that its left neighbour tolerates.
        while (candidate != kNoToken && (is_dead(position + vocabulary.token_bytes(candidate).size()) ||
                                         (ids.size() > base && !pairs.are_canonical(ids.back(), candidate)))) {
            candidate = prefixes.next_shorter(candidate);
        }
        if (candidate != kNoToken) {
            ids.push_back(candidate);
            position += vocabulary.token_bytes(candidate).size();
            if (position < n) candidate = prefixes.longest(piece.subspan(position));
        } else {
            // Dead: take the last token back and go on with the next shorter one in its place. The first position
            // never dies, since the canonical encoding exists.
            scratch.dead[position >> 6] |= std::uint64_t{1} << (position & 63);
            const TokenId last = ids.back();
            ids.pop_back();
            position -= vocabulary.token_bytes(last).size();
            candidate = prefixes.next_shorter(last);
        }
    }
}

}  // namespace fissile
