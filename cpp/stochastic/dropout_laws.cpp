#include "stochastic/dropout_laws.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace fissile {

namespace {

using Candidate = DropoutQueue::Candidate;

constexpr std::uint32_t kEnd = 0xffffffffu;

// With fewer symbols than this, the paper's law runs on an array, if ranks leave room for a place beside them.
constexpr std::uint32_t kShortWord = 64;
constexpr std::size_t kMaxShortRanks = (std::size_t{1} << 31) / kShortWord - 1;

bool later(const Candidate& a, const Candidate& b) { return a.order > b.order; }

// A word as linked symbols, and the queue of its candidates.
class Word {
   public:
    Word(const MergeRelation& merges, DropoutWord& word)
        : merges_(merges), word_(word), ids_(word.symbols), heap_(word.queue.heap) {
        const auto n = static_cast<std::uint32_t>(ids_.size());
        heap_.clear();
        word.aside.clear();
        word.queue.previous.resize(n);
        word.queue.following.resize(n);
        for (std::uint32_t i = 0; i < n; ++i) {
            word.queue.previous[i] = i == 0 ? kEnd : i - 1;
            word.queue.following[i] = i + 1 == n ? kEnd : i + 1;
            if (i + 1 < n && word.ranks[i] != kNoRank) {
                heap_.push_back({std::uint64_t{word.ranks[i]} << 32 | i, ids_[i], ids_[i + 1]});
            }
        }
        std::make_heap(heap_.begin(), heap_.end(), later);
    }

    bool empty() const { return heap_.empty(); }
    std::uint64_t best_order() const { return heap_.front().order; }
    Candidate pop() {
        if (word_.interrupt != nullptr) word_.interrupt->check();
        std::pop_heap(heap_.begin(), heap_.end(), later);
        const Candidate top = heap_.back();
        heap_.pop_back();
        return top;
    }
    void push(const Candidate& candidate) {
        heap_.push_back(candidate);
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    void set_aside(const Candidate& candidate) { word_.aside.push_back(candidate); }
    void put_back() {
        for (const Candidate& candidate : word_.aside) push(candidate);
        word_.aside.clear();
    }
    // One of the two has merged with another since.
    bool is_stale(const Candidate& c) const {
        const auto i = static_cast<std::uint32_t>(c.order);
        const std::uint32_t j = word_.queue.following[i];
        return ids_[i] != c.left || j == kEnd || ids_[j] != c.right;
    }
    void merge(const Candidate& c) {
        auto& following = word_.queue.following;
        const auto i = static_cast<std::uint32_t>(c.order);
        const std::uint32_t j = following[i];
        ids_[i] = merges_.result(static_cast<std::uint32_t>(c.order >> 32));
        ids_[j] = kNoToken;  // what was merged away never matches
        following[i] = following[j];
        if (following[i] != kEnd) word_.queue.previous[following[i]] = i;
    }
    // The candidate of the symbol at i and the one behind it, if they may merge.
    void push_candidate_at(std::uint32_t i) {
        if (i == kEnd) return;
        const std::uint32_t j = word_.queue.following[i];
        if (j == kEnd) return;
        const std::uint32_t rank = word_.find(merges_, ids_[i], ids_[j]);
        if (rank != kNoRank) push({std::uint64_t{rank} << 32 | i, ids_[i], ids_[j]});
    }
    void push_neighbours(const Candidate& c) {
        const auto i = static_cast<std::uint32_t>(c.order);
        push_candidate_at(i);
        push_candidate_at(word_.queue.previous[i]);
    }
    std::uint32_t previous(std::uint32_t i) const { return word_.queue.previous[i]; }
    void finish() { std::erase(ids_, kNoToken); }

   private:
    const MergeRelation& merges_;
    DropoutWord& word_;
    std::vector<TokenId>& ids_;
    std::vector<Candidate>& heap_;
};

void tokenizers(Word& word, Draws& draws) {
    while (!word.empty()) {
        const Candidate top = word.pop();
        if (draws.dropped()) {
            word.set_aside(top);
            continue;
        }
        word.put_back();
        if (word.is_stale(top)) continue;
        word.merge(top);
        word.push_neighbours(top);
    }
}

void subword_nmt(Word& word, Draws& draws, std::vector<Candidate>& same, std::vector<std::uint32_t>& merged) {
    while (!word.empty()) {
        const Candidate best = word.pop();
        if (word.is_stale(best)) continue;
        if (draws.dropped()) {
            word.set_aside(best);
            continue;
        }
        // The others of this pair, from the left. Of three equal symbols in a row, the first two may have been merged:
        // then the candidate of the last two is stale.
        same.clear();
        while (!word.empty() && word.best_order() >> 32 == best.order >> 32) same.push_back(word.pop());
        merged.clear();
        word.merge(best);
        merged.push_back(static_cast<std::uint32_t>(best.order));
        for (const Candidate& candidate : same) {
            if (word.is_stale(candidate)) continue;
            const bool of_pair = candidate.left == best.left && candidate.right == best.right;
            if (!of_pair || draws.dropped()) {
                word.set_aside(candidate);
                continue;
            }
            word.merge(candidate);
            merged.push_back(static_cast<std::uint32_t>(candidate.order));
        }
        std::uint32_t last = kEnd;
        for (const std::uint32_t i : merged) {
            word.push_candidate_at(i);
            if (word.previous(i) != last) word.push_candidate_at(word.previous(i));
            last = i;
        }
        word.put_back();
    }
}

// The smallest of the candidates, one at each place: a tree of which each node is the smaller of two.
class CandidateTree {
   public:
    static constexpr std::uint64_t kNone = ~std::uint64_t{0};

    CandidateTree(std::vector<std::uint64_t>& nodes, std::size_t n_places)
        : nodes_(nodes), n_leaves_(std::bit_ceil(n_places)) {
        nodes_.assign(2 * n_leaves_, kNone);
    }
    std::uint64_t& leaf(std::size_t place) { return nodes_[n_leaves_ + place]; }
    // Once the leaves are there.
    void build() {
        for (std::size_t node = n_leaves_; --node > 0;) update(node);
    }
    std::uint64_t best() const { return nodes_[1]; }
    void set(std::size_t place, std::uint64_t candidate) {
        std::size_t node = n_leaves_ + place;
        nodes_[node] = candidate;
        while (node /= 2) update(node);
    }
    // The leaves of three places, from the left, have changed: above the node where their ways meet, they are one.
    void changed(std::size_t first, std::size_t second, std::size_t third) {
        std::size_t a = n_leaves_ + first, b = n_leaves_ + second, c = n_leaves_ + third;
        while (a != c) {
            a /= 2, b /= 2, c /= 2;
            update(a);
            update(b);
            update(c);
        }
        while (a /= 2) update(a);
    }

   private:
    void update(std::size_t node) { nodes_[node] = std::min(nodes_[2 * node], nodes_[2 * node + 1]); }

    std::vector<std::uint64_t>& nodes_;
    std::size_t n_leaves_;
};

// The laws of the paper and of sentencepiece, which draw for the candidates of the moment only: of each symbol the one
// with the symbol behind it. A candidate's rank stands at the place of its left symbol.
class Places {
   public:
    static constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();

    Places(bool dropped_come_back, const MergeRelation& merges, DropoutWord& word, Draws& draws)
        : dropped_come_back_(dropped_come_back),
          merges_(merges),
          word_(word),
          draws_(draws),
          n_(static_cast<std::uint32_t>(word.symbols.size())),
          n_lanes_((n_ + kPlacesLanes - 1) / kPlacesLanes * kPlacesLanes) {
        word.queue.previous.resize(n_);
        word.queue.following.resize(n_);
        word.by_place.assign(n_lanes_, kNone);
        previous_ = word.queue.previous.data();
        following_ = word.queue.following.data();
        ranks_ = word.by_place.data();
        for (std::uint32_t i = 0; i < n_; ++i) {
            previous_[i] = i == 0 ? kEnd : i - 1;
            following_[i] = i + 1 == n_ ? kEnd : i + 1;
            if (i + 1 < n_) ranks_[i] = number(word.ranks[i]);
        }
    }

    void merge_all() {
        const std::int32_t passed = n_ <= kMostByLevels ? by_levels() : -1;
        if (passed != kNone) by_tree(passed);
        std::erase(word_.symbols, kNoToken);
    }

   private:
    static std::int32_t number(std::uint32_t rank) { return rank == kNoRank ? kNone : static_cast<std::int32_t>(rank); }

    bool is_dropped() {
        if (word_.interrupt != nullptr) word_.interrupt->check();
        return draws_.dropped();
    }

    // Merges the symbol at i with the one behind it; the places of the symbols around it, kEnd for none, and what was
    // merged away.
    struct Merged {
        std::uint32_t before, away;
    };
    Merged merge(std::uint32_t i) {
        TokenId* const ids = word_.symbols.data();
        const std::uint32_t h = previous_[i], j = following_[i], k = following_[j];
        ids[i] = merges_.result(static_cast<std::uint32_t>(ranks_[i]));
        ids[j] = kNoToken;
        following_[i] = k;
        if (k != kEnd) previous_[k] = i;
        ranks_[j] = kNone;
        ranks_[i] = k == kEnd ? kNone : number(word_.find(merges_, ids[i], ids[k]));
        if (h != kEnd) ranks_[h] = number(word_.find(merges_, ids[h], ids[i]));
        return {h, j};
    }

    // Merges all candidates of the smallest rank, from the left, then those of the next, for as long as no merge makes
    // a candidate of a smaller one: in rows and other text that repeats itself a rank has many. Where the ranks are
    // too many for so long a word it ends, and gives the rank up to which all candidates are dropped in this step; else
    // kNone.
    std::int32_t by_levels() {
        const std::size_t n_words = n_lanes_ / kPlacesLanes;
        word_.level.resize(n_words);
        word_.dropped_of_level.assign(n_words, 0);
        std::uint64_t* const todo = word_.level.data();
        std::uint64_t* const dropped = word_.dropped_of_level.data();
        const auto clear = [&](std::uint32_t place) {
            todo[place / 64] &= ~(std::uint64_t{1} << place % 64);
            dropped[place / 64] &= ~(std::uint64_t{1} << place % 64);
        };
        std::size_t n_looked_at = 0, n_merged = 0;
        std::int32_t passed = -1;  // all candidates up to this rank were dropped in this step
        bool some_passed = false;  // and there are some
        for (;;) {
            if (n_looked_at > kLanesAMerge * (n_ + n_merged)) return passed;
            const std::int32_t rank = word_.least_above(ranks_, n_lanes_, passed);
            if (rank == kNone) return kNone;
            word_.places_of(ranks_, n_lanes_, rank, todo);
            n_looked_at += n_lanes_;
            std::size_t first_dropped = n_words;
            bool starts_anew = false;
            for (std::size_t w = 0; w < n_words;) {
                if (todo[w] == 0) {
                    ++w;
                    continue;
                }
                const auto i = static_cast<std::uint32_t>(w * 64 + static_cast<unsigned>(std::countr_zero(todo[w])));
                const std::uint64_t bit = todo[w] & (0 - todo[w]);
                todo[w] ^= bit;
                if (is_dropped()) {
                    if (!dropped_come_back_) {
                        ranks_[i] = kNone;
                        continue;
                    }
                    dropped[w] |= bit;
                    first_dropped = std::min(first_dropped, w);
                    continue;
                }
                const Merged merged = merge(i);
                ++n_merged;
                clear(merged.away);
                if (merged.before != kEnd) clear(merged.before);
                const std::size_t last = w;
                for (; first_dropped <= last; ++first_dropped) {
                    w = std::min(w, first_dropped);
                    todo[first_dropped] |= dropped[first_dropped];
                    dropped[first_dropped] = 0;
                }
                first_dropped = n_words;
                std::int32_t least_new = ranks_[i];
                if (ranks_[i] == rank) todo[last] |= bit;
                if (merged.before != kEnd) {
                    const std::uint32_t h = merged.before;
                    least_new = std::min(least_new, ranks_[h]);
                    if (ranks_[h] == rank) {
                        todo[h / 64] |= std::uint64_t{1} << h % 64;
                        w = std::min<std::size_t>(w, h / 64);
                    }
                }
                if (some_passed || least_new < rank) {
                    starts_anew = true;
                    break;
                }
            }
            if (starts_anew) {
                passed = -1;
                some_passed = false;
                continue;
            }
            passed = rank;
            for (; first_dropped < n_words; ++first_dropped) {
                some_passed |= dropped[first_dropped] != 0;
                dropped[first_dropped] = 0;
            }
        }
    }

    // One candidate at a time; those up to the rank `passed` are dropped in this step.
    void by_tree(std::int32_t passed) {
        const auto order = [&](std::uint32_t place) {
            return ranks_[place] == kNone ? CandidateTree::kNone
                                          : std::uint64_t{static_cast<std::uint32_t>(ranks_[place])} << 32 | place;
        };
        CandidateTree tree(word_.tree, n_);
        word_.dropped.clear();
        for (std::uint32_t i = 0; i < n_; ++i) {
            if (ranks_[i] > passed) {
                tree.leaf(i) = order(i);
            } else {
                word_.dropped.push_back(order(i));
            }
        }
        tree.build();
        for (std::uint64_t best; (best = tree.best()) != CandidateTree::kNone;) {
            const auto i = static_cast<std::uint32_t>(best);
            if (is_dropped()) {
                tree.set(i, CandidateTree::kNone);
                if (dropped_come_back_) word_.dropped.push_back(best);
                continue;
            }
            const Merged merged = merge(i);
            const std::uint32_t h = merged.before, j = merged.away;
            tree.leaf(j) = CandidateTree::kNone;
            tree.leaf(i) = order(i);
            if (h != kEnd) tree.leaf(h) = order(h);
            tree.changed(h == kEnd ? i : h, i, j);
            for (const std::uint64_t dropped : word_.dropped) {
                const auto place = static_cast<std::uint32_t>(dropped);
                if (place != h && place != j) tree.set(place, dropped);  // those two are no candidates any more
            }
            word_.dropped.clear();
        }
    }

    // Numbers that are looked at for a merge, on an average, at most: what the tree takes the same time for.
    static constexpr std::size_t kLanesAMerge = 256;
    // What is looked through for a rank of longer words does not stay near.
    static constexpr std::uint32_t kMostByLevels = 2048;

    bool dropped_come_back_;
    const MergeRelation& merges_;
    DropoutWord& word_;
    Draws& draws_;
    std::uint32_t n_, n_lanes_;
    std::uint32_t *previous_, *following_;
    std::int32_t* ranks_;
};

// The paper's law for a word of few symbols, most words. Nothing moves: a symbol stays where it began, a bit says that
// one begins there, and the candidate of each place stands in an array of (rank, place) with a number for none.
void paper_short(const MergeRelation& merges, DropoutWord& word, Draws& draws) {
    constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();
    const auto n = static_cast<unsigned>(word.symbols.size());
    const unsigned n_lanes = (n + kLeastLanes - 1) / kLeastLanes * kLeastLanes;
    TokenId* const ids = word.symbols.data();
    std::int32_t candidates[kShortWord];
    const auto order = [](std::uint32_t rank, unsigned i) {
        return rank == kNoRank ? kNone : static_cast<std::int32_t>(rank * kShortWord + i);
    };
    for (unsigned i = 0; i < n_lanes; ++i) candidates[i] = i + 1 < n ? order(word.ranks[i], i) : kNone;
    std::uint64_t begins = (std::uint64_t{1} << n) - 1;
    for (std::int32_t best = word.least_above(candidates, n_lanes, -1); best != kNone;) {
        if (draws.dropped()) {
            best = word.least_above(candidates, n_lanes, best);  // those up to it were dropped in this step
            continue;
        }
        const unsigned i = static_cast<unsigned>(best) % kShortWord;
        ids[i] = merges.result(static_cast<std::uint32_t>(best) / kShortWord);
        const std::uint64_t behind = begins & ~std::uint64_t{0} << (i + 1);
        const auto j = static_cast<unsigned>(std::countr_zero(behind));  // what was merged into i
        begins &= ~(std::uint64_t{1} << j);
        const std::uint64_t after = behind & (behind - 1), before = begins & ((std::uint64_t{1} << i) - 1);
        // The others are looked through while the ranks of the new neighbours come in.
        const unsigned h = before == 0 ? i : static_cast<unsigned>(63 - std::countl_zero(before));
        candidates[h] = candidates[i] = candidates[j] = kNone;
        best = word.least_above(candidates, n_lanes, -1);
        if (after != 0) {
            candidates[i] = order(word.find(merges, ids[i], ids[std::countr_zero(after)]), i);
            best = std::min(best, candidates[i]);
        }
        if (before != 0) {
            candidates[h] = order(word.find(merges, ids[h], ids[i]), h);
            best = std::min(best, candidates[h]);
        }
    }
    std::size_t n_left = 0;
    for (; begins != 0; begins &= begins - 1) ids[n_left++] = ids[std::countr_zero(begins)];
    word.symbols.resize(n_left);
}

}  // namespace

void merge_with_dropout(DropoutLaw law, const MergeRelation& merges, DropoutWord& word, Draws& draws) {
    if (word.symbols.size() < 2) return;
    if (law == DropoutLaw::kPaper && word.symbols.size() < kShortWord && merges.n_ranks() <= kMaxShortRanks) {
        paper_short(merges, word, draws);
        return;
    }
    if (law == DropoutLaw::kPaper || law == DropoutLaw::kSentencePiece) {
        Places(law == DropoutLaw::kPaper, merges, word, draws).merge_all();
        return;
    }
    Word linked(merges, word);
    if (law == DropoutLaw::kTokenizers) {
        tokenizers(linked, draws);
    } else {
        subword_nmt(linked, draws, word.same, word.merged);
    }
    linked.finish();
}

}  // namespace fissile
