#include "stochastic/dropout_laws.hpp"

#include <algorithm>

namespace fissile {

namespace {

using Candidate = MergeQueueScratch::Candidate;

constexpr std::uint32_t kEnd = 0xffffffffu;

// Up to this many symbols, the paper's law runs on arrays.
constexpr std::size_t kShortWord = 48;

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
        const std::uint32_t rank = merges_.find(ids_[i], ids_[j]);
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

void paper(Word& word, Draws& draws) {
    while (!word.empty()) {
        const Candidate top = word.pop();
        if (word.is_stale(top)) continue;
        if (draws.dropped()) {
            word.set_aside(top);
            continue;
        }
        word.merge(top);
        word.push_neighbours(top);
        word.put_back();
    }
}

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

void sentencepiece(Word& word, Draws& draws) {
    while (!word.empty()) {
        const Candidate top = word.pop();
        if (word.is_stale(top) || draws.dropped()) continue;
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

// The paper's law with the rank of each pair of neighbours in an array, as merge_short has it.
void paper_short(const MergeRelation& merges, DropoutWord& word, Draws& draws) {
    std::size_t n = word.symbols.size();
    TokenId* const ids = word.symbols.data();
    std::uint32_t* const ranks = word.ranks.data();
    for (std::uint64_t passed = 0; n > 1;) {
        // The best candidate behind those that were dropped in this step. (order + 1 of the last, 0 for none.)
        std::uint64_t best = ~std::uint64_t{0};
        for (std::size_t i = 0; i + 1 < n; ++i) {
            const std::uint64_t order = std::uint64_t{ranks[i]} << 32 | i;
            best = order >= passed && order < best ? order : best;
        }
        const auto rank = static_cast<std::uint32_t>(best >> 32);
        if (rank == kNoRank) break;
        if (draws.dropped()) {
            passed = best + 1;
            continue;
        }
        passed = 0;
        const auto at = static_cast<std::uint32_t>(best);
        ids[at] = merges.result(rank);
        --n;
        for (std::size_t i = at + 1; i < n; ++i) ids[i] = ids[i + 1];
        for (std::size_t i = at; i + 1 < n; ++i) ranks[i] = ranks[i + 1];
        if (at > 0) ranks[at - 1] = merges.find(ids[at - 1], ids[at]);
        if (at + 1 < n) ranks[at] = merges.find(ids[at], ids[at + 1]);
    }
    word.symbols.resize(n);
}

}  // namespace

void merge_with_dropout(DropoutLaw law, const MergeRelation& merges, DropoutWord& word, Draws& draws) {
    if (word.symbols.size() < 2) return;
    if (law == DropoutLaw::kPaper && word.symbols.size() <= kShortWord) {
        paper_short(merges, word, draws);
        return;
    }
    Word linked(merges, word);
    switch (law) {
        case DropoutLaw::kPaper:
            paper(linked, draws);
            break;
        case DropoutLaw::kTokenizers:
            tokenizers(linked, draws);
            break;
        case DropoutLaw::kSentencePiece:
            sentencepiece(linked, draws);
            break;
        case DropoutLaw::kSubwordNmt:
            subword_nmt(linked, draws, word.same, word.merged);
            break;
    }
    linked.finish();
}

}  // namespace fissile
