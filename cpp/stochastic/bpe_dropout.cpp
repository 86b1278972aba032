#include "stochastic/bpe_dropout.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "cpu/hash.hpp"
#include "stochastic/parents.hpp"
#include "stochastic/token_symbols.hpp"

namespace fissile {

namespace {

// What comes of a word's canonical ids and its first drops if no other follows.
struct Outcome {
    static constexpr std::size_t kMaxIn = 4, kMaxOut = 25;

    std::uint64_t drops;  // the gaps before each of them, a byte each, plus one
    TokenId in[kMaxIn];
    std::uint16_t n_draws;  // survivors behind the last drop, up to the end of the word
    std::uint8_t n_in, n_out;
    TokenId out[kMaxOut];
};
static_assert(sizeof(Outcome) == 128);

// Rows of more drops, or with longer gaps, are merged anew every time.
constexpr std::size_t kMaxDrops = 6;
constexpr std::uint64_t kMaxGap = 253;

// Outcomes by hash; a newer one takes the place of an older.
class Memory {
   public:
    static constexpr std::size_t kOutcomes = 8192;

    Memory() : outcomes_(static_cast<Outcome*>(std::calloc(kOutcomes, sizeof(Outcome)))) {
        if (outcomes_ == nullptr) throw std::bad_alloc();
    }
    ~Memory() { std::free(outcomes_); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    Outcome& place(const TokenId* ids, std::size_t n, std::uint64_t drops) {
        std::uint64_t hash = hash_words(drops ^ ids[0], n);
        for (std::size_t i = 1; i < n; ++i) hash = hash_words(hash, ids[i]);
        return outcomes_[hash & (kOutcomes - 1)];
    }
    static bool is_of(const Outcome& outcome, const TokenId* ids, std::size_t n, std::uint64_t drops) {
        return outcome.drops == drops && outcome.n_in == n && std::equal(ids, ids + n, outcome.in);
    }

   private:
    Outcome* outcomes_;  // zeroed memory is touched only where it is used
};

}  // namespace

class BpeDropout::State final : public Splitter::Scratch {
   public:
    DropoutWord word;
    std::unique_ptr<Memory> memory;
    // Of the document at hand.
    RandomWords* words = nullptr;
    std::uint64_t gap = 0;  // survivors before the next drop
    const TokenId* result = nullptr;
    std::size_t n_result = 0;
};

BpeDropout::BpeDropout(std::shared_ptr<const MergeRelation> merges, double p, DropoutLaw law, bool remembers)
    : merges_(std::move(merges)),
      p_(p),
      law_(law),
      remembers_(remembers),
      draws_once_a_merge_(law == DropoutLaw::kPaper || law == DropoutLaw::kSentencePiece),
      gaps_(p) {
    check_covers_bytes(merges_->vocabulary(), "BPEDropout");
}

std::unique_ptr<Splitter::Scratch> BpeDropout::make_scratch() const { return std::make_unique<State>(); }

// The symbols of a word and the ranks of neighbours.
void BpeDropout::load(const TokenId* ids, std::size_t n, DropoutWord& word) const {
    const Vocabulary& v = merges_->vocabulary();
    word.symbols.clear();
    word.ranks.clear();
    for (std::size_t i = 0; i < n; ++i) append_symbols(v, ids[i], word.symbols);
    for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) {
        word.ranks.push_back(merges_->find(word.symbols[i], word.symbols[i + 1]));
    }
}

std::uint64_t BpeDropout::n_merges(const TokenId* ids, std::size_t n) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += merges_->n_merges(ids[i]);
    return sum;
}

// Draws for a word, from state.gap on; leaves its ids in state.result.
void BpeDropout::redraw(const TokenId* ids, std::size_t n, State& state) const {
    std::uint64_t row[kMaxDrops + 2];  // gaps: one before each drop, and the one behind the last
    row[0] = state.gap;
    std::size_t n_drops = 0;
    std::uint64_t drops = 0;
    bool remembered = remembers_ && state.memory != nullptr && n <= Outcome::kMaxIn;
    if (remembered && draws_once_a_merge_) {  // the canonical merging is known to be disturbed
        remembered = row[0] <= kMaxGap;
        drops = row[0] + 1;
        row[++n_drops] = gaps_.draw(*state.words);
    }
    for (; remembered; ++n_drops) {
        Outcome& outcome = state.memory->place(ids, n, drops);
        if (!Memory::is_of(outcome, ids, n, drops)) {
            load(ids, n, state.word);
            Draws draws(row, n_drops, gaps_, nullptr);
            merge_with_dropout(law_, *merges_, state.word, draws);
            const std::uint64_t n_draws = Gaps::kNever - draws.left();
            const std::size_t n_out = n_drops == 0 ? n : state.word.symbols.size();
            if (n_out > Outcome::kMaxOut || n_draws > 0xffff) break;
            outcome.drops = drops;
            outcome.n_in = static_cast<std::uint8_t>(n);
            outcome.n_out = static_cast<std::uint8_t>(n_out);
            outcome.n_draws = static_cast<std::uint16_t>(n_draws);
            std::copy_n(ids, n, outcome.in);
            std::copy_n(n_drops == 0 ? ids : state.word.symbols.data(), n_out, outcome.out);
        }
        if (row[n_drops] >= outcome.n_draws) {
            state.gap = row[n_drops] - outcome.n_draws;
            state.result = outcome.out;
            state.n_result = outcome.n_out;
            return;
        }
        if (n_drops == kMaxDrops || row[n_drops] > kMaxGap) break;
        drops |= (row[n_drops] + 1) << (8 * n_drops);
        row[n_drops + 1] = gaps_.draw(*state.words);
    }
    load(ids, n, state.word);
    state.word.interrupt = state.interrupt;
    Draws draws(row, n_drops + 1, gaps_, state.words);
    merge_with_dropout(law_, *merges_, state.word, draws);
    state.gap = draws.left();
    state.result = draws.n_drops() == 0 ? ids : state.word.symbols.data();
    state.n_result = draws.n_drops() == 0 ? n : state.word.symbols.size();
}

void BpeDropout::split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
                       IdArray* parents) const {
    State& state = static_cast<State&>(scratch);
    const Vocabulary& v = merges_->vocabulary();
    const TokenId* const ids = document.ids;
    const std::size_t first_out = out.size();
    if (p_ == 0.0) {
        out.append(ids, document.n_ids);
    } else if (p_ == 1.0) {
        state.word.symbols.clear();
        for (std::size_t i = 0; i < document.n_ids; ++i) append_symbols(v, ids[i], state.word.symbols);
        out.append(state.word.symbols.data(), state.word.symbols.size());
    } else {
        // Memory for a handful of words would cost more than merging them.
        constexpr std::size_t kWordsWorthMemory = 128;
        if (remembers_ && state.memory == nullptr && document.n_spans >= kWordsWorthMemory) {
            state.memory = std::make_unique<Memory>();
        }
        RandomWords words(key, RandomUse::kDrops);
        state.words = &words;
        state.gap = gaps_.draw(words);
        std::size_t copied = 0;  // ids before it are out
        std::size_t begin = 0;
        for (std::size_t span = 0; span < document.n_spans; ++span) {
            if (state.interrupt != nullptr && span % 64 == 0) state.interrupt->check();
            const std::size_t end = document.span_ends[span];
            const std::size_t n = end - begin;
            const std::uint64_t n_draws = n_merges(ids + begin, n);
            if (draws_once_a_merge_ && state.gap >= n_draws) {
                state.gap -= n_draws;
            } else {
                out.append(ids + copied, begin - copied);
                redraw(ids + begin, n, state);
                out.append(state.result, state.n_result);
                copied = end;
            }
            begin = end;
        }
        out.append(ids + copied, document.n_ids - copied);
    }
    if (parents != nullptr) append_parents(v, document, out, first_out, *parents);
}

}  // namespace fissile
