#include "stochastic/bpe_dropout.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "cpu/hash.hpp"
#include "cpu/huge_buffer.hpp"
#include "stochastic/parents.hpp"
#include "stochastic/token_symbols.hpp"

namespace fissile {

namespace {

// What comes of a word if at most one merge is dropped.
struct alignas(64) Outcome {
    static constexpr std::size_t kMaxIn = 2, kMaxOut = 12;

    TokenId in[kMaxIn];     // canonical ids; the second is kNoToken if there is one
    std::uint16_t drop;     // survivors before the dropped merge, plus 2; 1: none is dropped; 0: nothing is held here
    std::uint16_t n_draws;  // survivors behind it, up to the end of the word
    std::uint32_t n_out;
    TokenId out[kMaxOut];

    bool is_of(const TokenId ids[2], std::uint16_t after) const {
        return drop == after && in[0] == ids[0] && in[1] == ids[1];
    }
};
static_assert(sizeof(Outcome) == 64);

// Outcomes by hash; a newer one takes the place of an older.
class Memory {
   public:
    static constexpr std::size_t kOutcomes = 32768;
    static constexpr std::uint64_t kMaxGap = 0xfff0;

    Memory() : memory_(kOutcomes * sizeof(Outcome)), outcomes_(static_cast<Outcome*>(memory_.data())) {}

    Outcome& place(const TokenId in[2], std::uint16_t drop) {
        return outcomes_[hash_words(std::uint64_t{in[0]} << 32 | in[1], drop) & (kOutcomes - 1)];
    }

   private:
    HugeBuffer memory_;
    Outcome* outcomes_;
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
    if (word.symbols.empty()) return;
    word.ranks.resize(word.symbols.size() - 1);
    std::size_t n_bytes = 0;
    for (std::size_t i = 0; i < n; ++i) n_bytes += v.token_bytes(ids[i]).size();
    if (v.options().alphabet == Alphabet::kBytes && n_bytes == word.symbols.size()) {
        std::size_t at = 0;
        std::uint8_t last = 0;
        for (std::size_t i = 0; i < n; ++i) {
            for (const std::uint8_t byte : v.token_bytes(ids[i])) {
                if (at > 0) word.ranks[at - 1] = merges_->find_bytes(last, byte);
                last = byte;
                ++at;
            }
        }
        return;
    }
    for (std::size_t i = 0; i < word.ranks.size(); ++i) {
        word.ranks[i] = word.find(*merges_, word.symbols[i], word.symbols[i + 1]);
    }
}

std::uint64_t BpeDropout::n_merges(const TokenId* ids, std::size_t n) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += merges_->n_merges(ids[i]);
    return sum;
}

// Draws for a word, from state.gap on; leaves its ids in state.result.
void BpeDropout::redraw(const TokenId* ids, std::size_t n, State& state) const {
    std::uint64_t gaps[2] = {state.gap, 0};  // before the first drop, and behind it
    std::size_t n_gaps = 1;
    const bool remembers = state.memory != nullptr && n <= Outcome::kMaxIn && state.gap <= Memory::kMaxGap;
    const TokenId in[2] = {ids[0], n == 2 ? ids[1] : kNoToken};
    const auto recall = [&](std::uint16_t drop) {
        const Outcome& outcome = state.memory->place(in, drop);
        if (!outcome.is_of(in, drop)) return false;
        const std::uint64_t gap = gaps[n_gaps - 1];
        if (gap < outcome.n_draws) return false;
        state.gap = gap - outcome.n_draws;
        state.result = outcome.out;
        state.n_result = outcome.n_out;
        return true;
    };
    state.word.interrupt = state.interrupt;
    const auto drop = static_cast<std::uint16_t>(state.gap + 2);
    if (remembers) {
        // Where a merge is a draw, the canonical merging is known to be disturbed.
        if (!draws_once_a_merge_ && recall(1)) return;
        // Under the other laws this gap may reach beyond the word: then nothing was held for it.
        if (draws_once_a_merge_ || state.memory->place(in, drop).is_of(in, drop)) {
            gaps[n_gaps++] = gaps_.draw(*state.words);
            if (recall(drop)) return;
        }
    }
    load(ids, n, state.word);
    Draws draws(gaps, n_gaps, gaps_, *state.words);
    merge_with_dropout(law_, *merges_, state.word, draws);
    const bool disturbed = draws.n_drops() != 0;
    state.gap = draws.left();
    state.result = disturbed ? state.word.symbols.data() : ids;
    state.n_result = disturbed ? state.word.symbols.size() : n;
    if (!remembers || draws.n_drops() > 1 || state.n_result > Outcome::kMaxOut) return;
    const std::uint64_t n_draws = draws.last_gap() - draws.left();
    if (n_draws > Memory::kMaxGap) return;
    const std::uint16_t held = disturbed ? drop : std::uint16_t{1};
    Outcome& outcome = state.memory->place(in, held);
    std::copy_n(in, 2, outcome.in);
    outcome.drop = held;
    outcome.n_draws = static_cast<std::uint16_t>(n_draws);
    outcome.n_out = static_cast<std::uint32_t>(state.n_result);
    std::copy_n(state.result, state.n_result, outcome.out);
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
            state.word.recent = std::make_unique<RecentRanks>();
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
