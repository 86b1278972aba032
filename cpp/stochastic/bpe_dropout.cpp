#include "stochastic/bpe_dropout.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/hash.hpp"
#include "cpu/huge_buffer.hpp"
#include "cpu/prefetch.hpp"
#include "stochastic/draw_sums.hpp"
#include "stochastic/parents.hpp"
#include "stochastic/token_symbols.hpp"
#include "stochastic/word_merges.hpp"

namespace fissile {

namespace {

// Where a word's merging is disturbed: the survivors before its first drop and between that and the second, plus 2
// each; 0 for no second. `first` is 1 where none is dropped.
struct Drops {
    static constexpr std::uint64_t kMaxGap = 0xfff0;

    std::uint16_t first, second;

    static std::uint16_t after(std::uint64_t gap) { return static_cast<std::uint16_t>(gap + 2); }
    bool operator==(const Drops&) const = default;
};

// What comes of a word and its drops if no other follows.
struct alignas(64) Outcome {
    static constexpr std::size_t kMaxIn = 2, kMaxOut = 12;

    TokenId in[kMaxIn];  // canonical ids; the second is kNoToken if there is one. Where in[0] and drops are 0, nothing
                         // is held
    Drops drops;
    std::uint16_t n_draws;  // survivors behind the last drop, up to the end of the word
    std::uint16_t n_out;
    TokenId out[kMaxOut];

    bool is_of(const TokenId ids[2], Drops of) const { return drops == of && in[0] == ids[0] && in[1] == ids[1]; }
};
static_assert(sizeof(Outcome) == 64);

// Words whose memory is asked for together.
constexpr std::size_t kWaitingAtOnce = 32;

// Ids between disturbed words are copied so many at a time: few stretches are longer at the p of the paper.
constexpr std::size_t kCopiedAtOnce = 8;

// Copies n ids, of `n_readable`, and returns where the next one goes; up to there and kCopiedAtOnce beyond it is room.
TokenId* copy(const TokenId* ids, std::size_t n, std::size_t n_readable, TokenId* out) {
    if (n + kCopiedAtOnce > n_readable) return std::copy_n(ids, n, out);
    for (std::size_t i = 0; i < n; i += kCopiedAtOnce) std::memcpy(out + i, ids + i, kCopiedAtOnce * sizeof(TokenId));
    return out + n;
}

// Outcomes by hash; a newer one takes the place of an older.
class Memory {
   public:
    static constexpr std::size_t kOutcomes = 131072;  // 8 MiB a thread

    Memory() : memory_(kOutcomes * sizeof(Outcome)), outcomes_(static_cast<Outcome*>(memory_.data())) {}

    Outcome& place(const TokenId in[2], Drops drops) {
        const std::uint64_t hash =
            hash_words(std::uint64_t{in[0]} << 32 | in[1], std::uint64_t{drops.first} << 16 | drops.second);
        return outcomes_[hash & (kOutcomes - 1)];
    }

   private:
    HugeBuffer memory_;
    Outcome* outcomes_;
};

}  // namespace

struct BpeDropout::State {
    DropoutWord word;
    std::unique_ptr<Memory> memory;  // one of the two, or none
    std::unique_ptr<WordMemory> words;
    DrawSums sums;
    WordChart charts[kWaitingAtOnce];  // of words that are new to `words`
    // Disturbed words that wait to be merged anew.
    struct Disturbed {
        std::size_t begin, end;  // in the document's ids
        std::uint64_t gap;       // draws before the first drop
        std::uint64_t hash;      // for `words`
        std::uint32_t place;     // in `words`
        WordMerges* word;        // there; null: it is not
    };
    std::vector<Disturbed> waiting;
    GapStream* later_drops = nullptr;  // of the document at hand
    const TokenId* result = nullptr;
    std::size_t n_result = 0;
};

// A State for the time of a call; what it remembers serves later calls.
class BpeDropout::Lease final : public Splitter::Scratch {
   public:
    explicit Lease(const BpeDropout& owner) : owner_(owner) {
        const std::unique_lock lock(owner_.idle_lock_, std::try_to_lock);
        if (!lock || owner_.idle_.empty()) {
            state = std::make_unique<State>();
        } else {
            state = std::move(owner_.idle_.back());
            owner_.idle_.pop_back();
        }
    }
    ~Lease() override {
        const std::unique_lock lock(owner_.idle_lock_, std::try_to_lock);
        if (lock) owner_.idle_.push_back(std::move(state));
    }

    std::unique_ptr<State> state;

   private:
    const BpeDropout& owner_;
};

BpeDropout::BpeDropout(std::shared_ptr<const MergeRelation> merges, double p, DropoutLaw law, bool remembers)
    : merges_(std::move(merges)),
      p_(p),
      law_(law),
      remembers_(remembers),
      draws_once_a_merge_(law == DropoutLaw::kPaper || law == DropoutLaw::kSentencePiece),
      replay_(replay_kernel_for(chosen_isa())),
      gaps_(p) {
    check_can_spell(merges_->vocabulary(), "BPEDropout");
    if (merges_->vocabulary().tied_orders() != nullptr) {
        throw Error("BPEDropout needs pieces of different scores; several of this vocabulary's have the same");
    }
}

BpeDropout::~BpeDropout() = default;

std::unique_ptr<Splitter::Scratch> BpeDropout::make_scratch() const { return std::make_unique<Lease>(*this); }

// The symbols of a word and the ranks of neighbours.
void BpeDropout::load(const TokenId* ids, std::size_t n, DropoutWord& word) const {
    const Vocabulary& v = merges_->vocabulary();
    if (v.options().alphabet == Alphabet::kBytes &&
        std::all_of(ids, ids + n, [&](TokenId id) { return v.is_model(id); })) {
        std::size_t n_bytes = 0;
        for (std::size_t i = 0; i < n; ++i) n_bytes += v.token_bytes(ids[i]).size();
        word.symbols.resize(n_bytes);
        word.ranks.resize(n_bytes);
        word.bytes.resize(n_bytes);
        TokenId* symbol = word.symbols.data();
        std::uint32_t* rank = word.ranks.data();
        std::uint8_t* to = word.bytes.data();
        std::uint8_t last = 0;
        for (std::size_t i = 0; i < n; ++i) {
            for (const std::uint8_t byte : v.token_bytes(ids[i])) {
                *symbol++ = v.byte_symbol(byte);
                *rank++ = merges_->find_bytes(last, byte);
                *to++ = last = byte;
            }
        }
        if (n_bytes > 0) word.ranks.erase(word.ranks.begin());
        return;
    }
    word.symbols.clear();
    for (std::size_t i = 0; i < n; ++i) append_symbols(v, ids[i], word.symbols);
    word.ranks.resize(std::max<std::size_t>(word.symbols.size(), 1) - 1);
    for (std::size_t i = 0; i < word.ranks.size(); ++i) {
        word.ranks[i] = word.find(*merges_, word.symbols[i], word.symbols[i + 1]);
    }
}

// How many draws canonical merging of a word makes.
std::uint64_t BpeDropout::n_draws(const TokenId* ids, std::size_t n, State& state) const {
    if (draws_once_a_merge_) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += merges_->n_merges(ids[i]);
        return sum;
    }
    const bool remembers = state.memory != nullptr && n <= Outcome::kMaxIn;
    const TokenId in[2] = {ids[0], n == 2 ? ids[1] : kNoToken};
    constexpr Drops kUndisturbed{1, 0};
    Outcome* const outcome = remembers ? &state.memory->place(in, kUndisturbed) : nullptr;
    if (outcome != nullptr && outcome->is_of(in, kUndisturbed)) return outcome->n_draws;
    load(ids, n, state.word);
    Draws draws(&Gaps::kNever, 1, *state.later_drops);
    merge_with_dropout(law_, *merges_, state.word, draws);
    const std::uint64_t made = Gaps::kNever - draws.left();
    if (outcome != nullptr && made <= Drops::kMaxGap) {
        *outcome = {{in[0], in[1]}, kUndisturbed, static_cast<std::uint16_t>(made), 0, {}};
    }
    return made;
}

// Finds the waiting words in `words`, and adds those that are not there.
void BpeDropout::find_waiting_words(const TokenId* ids, State& state) const {
    static_assert(2 * kWaitingAtOnce <= WordMemory::kCallsToStay);
    for (State::Disturbed& waiting : state.waiting) {
        waiting.place = state.words->place_of(waiting.hash);
        state.words->near_word(waiting.place);
    }
    std::size_t n_new = 0, most_symbols = 0;
    State::Disturbed* new_words[kWaitingAtOnce];
    for (State::Disturbed& waiting : state.waiting) {
        const std::size_t n = waiting.end - waiting.begin;
        waiting.word = nullptr;
        if (n > WordMerges::kMaxIds) continue;
        waiting.word = state.words->find({ids + waiting.begin, n}, waiting.place);
        if (waiting.word != nullptr) continue;
        load(ids + waiting.begin, n, state.word);
        WordChart& chart = state.charts[n_new];
        chart.begin(*merges_, state.word.symbols, state.word.ranks, state.word.bytes);
        most_symbols = std::max(most_symbols, chart.n_symbols());
        new_words[n_new++] = &waiting;
    }
    for (std::size_t size = 3; size <= most_symbols; ++size) {
        for (std::size_t i = 0; i < n_new; ++i) state.charts[i].ask(*merges_, size);
        for (std::size_t i = 0; i < n_new; ++i) state.charts[i].find(*merges_, size);
    }
    for (std::size_t i = 0; i < n_new; ++i) {
        State::Disturbed& waiting = *new_words[i];
        const WordMerges::Key key(ids + waiting.begin, waiting.end - waiting.begin);
        waiting.word = state.words->add(key, state.charts[i], replay_);
    }
}

// Merges a disturbed word of which all that may become is known. Writes its ids, and unneeded ones behind them, as
// WordMerges::write does; returns how many there are.
std::size_t BpeDropout::redraw_known(WordMerges* word, std::uint64_t first_gap, State& state, TokenId* out) const {
    std::uint64_t gap = state.later_drops->next();
    if (first_gap >= word->n_steps()) return word->write(word->before_step(word->n_steps()), word->n_steps(), out);
    const auto step = static_cast<unsigned>(first_gap);
    const PossibleMerges merges = word->merges();
    const auto drop_at_step = [&] {
        Replay replay{word->before_step(step)};
        replay.dropped_stay_out = law_ == DropoutLaw::kSentencePiece;
        replay_(merges, replay, 0);
        return replay;
    };
    WordMerges::Outcome& outcome = word->outcome(step);
    if (outcome.begins == 0) {
        Replay replay = drop_at_step();
        replay_(merges, replay, Gaps::kNever);
        outcome = {replay.begins, static_cast<std::uint16_t>(replay.n_steps)};
    }
    if (gap >= outcome.n_draws) return word->write(outcome.begins, step + outcome.n_draws, out);
    Replay replay = drop_at_step();
    while (replay_(merges, replay, gap)) gap = state.later_drops->next();
    return word->write(replay.begins, step + replay.n_steps, out);
}

// Merges a disturbed word anew; leaves its ids in state.result.
void BpeDropout::redraw(const TokenId* ids, std::size_t n, std::uint64_t first_gap, State& state) const {
    std::uint64_t gaps[3] = {first_gap, state.later_drops->next(), 0};
    std::size_t n_gaps = 2;
    const bool remembers = state.memory != nullptr && n <= Outcome::kMaxIn && first_gap <= Drops::kMaxGap;
    const TokenId in[2] = {ids[0], n == 2 ? ids[1] : kNoToken};
    Drops drops{Drops::after(first_gap), 0};
    // With the drops known so far: the ids if the word ends before the next, else whether there is one for sure.
    enum class Recalled { kNothing, kIds, kDisturbedAgain };
    const auto recall = [&] {
        const Outcome& outcome = state.memory->place(in, drops);
        if (!outcome.is_of(in, drops)) return Recalled::kNothing;
        if (gaps[n_gaps - 1] < outcome.n_draws) return Recalled::kDisturbedAgain;
        state.result = outcome.out;
        state.n_result = outcome.n_out;
        return Recalled::kIds;
    };
    if (remembers) {
        Recalled recalled = recall();
        if (recalled == Recalled::kDisturbedAgain && gaps[1] <= Drops::kMaxGap) {
            drops.second = Drops::after(gaps[1]);
            gaps[n_gaps++] = state.later_drops->next();
            recalled = recall();
        }
        if (recalled == Recalled::kIds) return;
    }
    load(ids, n, state.word);
    Draws draws(gaps, n_gaps, *state.later_drops);
    merge_with_dropout(law_, *merges_, state.word, draws);
    state.result = state.word.symbols.data();
    state.n_result = state.word.symbols.size();
    const std::uint64_t made = draws.last_gap() - draws.left();
    if (!remembers || draws.n_drops() > 2 || state.n_result > Outcome::kMaxOut || made > Drops::kMaxGap) return;
    if (draws.n_drops() == 2) {
        if (gaps[1] > Drops::kMaxGap) return;
        drops.second = Drops::after(gaps[1]);
    }
    Outcome& outcome = state.memory->place(in, drops);
    outcome = {{in[0], in[1]}, drops, static_cast<std::uint16_t>(made), static_cast<std::uint16_t>(state.n_result), {}};
    std::copy_n(state.result, state.n_result, outcome.out);
}

void BpeDropout::split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
                       IdArray* parents) const {
    State& state = *static_cast<Lease&>(scratch).state;
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
        if (remembers_ && state.word.recent == nullptr && document.n_spans >= kWordsWorthMemory) {
            if (draws_once_a_merge_) {
                state.words = std::make_unique<WordMemory>();
            } else {
                state.memory = std::make_unique<Memory>();
            }
            state.word.recent = std::make_unique<RecentRanks>();
        }
        GapStream drops(gaps_, key, RandomUse::kDrops), later_drops(gaps_, key, RandomUse::kLaterDrops);
        state.later_drops = &later_drops;
        state.word.interrupt = scratch.interrupt;
        state.waiting.clear();
        std::size_t copied = 0;  // ids before it are out
        const auto merge_waiting = [&] {
            if (scratch.interrupt != nullptr) scratch.interrupt->check();
            if (state.words != nullptr) find_waiting_words(ids, state);
            TokenId* to = nullptr;  // where the next id goes; room for all that is known has been made
            const auto make_room = [&](std::size_t n_waiting) {
                const std::size_t n_copied = n_waiting == 0 ? 0 : state.waiting.back().end - copied;
                out.reserve_more(n_copied + n_waiting * WordMerges::kMaxWritten + kCopiedAtOnce);
                to = out.data() + out.size();
            };
            const auto keep = [&] { out.append_uninitialised(static_cast<std::size_t>(to - out.data()) - out.size()); };
            make_room(state.waiting.size());
            for (const State::Disturbed& word : state.waiting) {
                to = copy(ids + copied, word.begin - copied, document.n_ids - copied, to);
                copied = word.end;
                if (word.word != nullptr && word.word->is_known()) {
                    to += redraw_known(word.word, word.gap, state, to);
                    continue;
                }
                keep();
                redraw(ids + word.begin, word.end - word.begin, word.gap, state);
                out.append(state.result, state.n_result);
                make_room(static_cast<std::size_t>(&state.waiting.back() - &word));
            }
            keep();
            state.waiting.clear();
        };
        std::uint64_t gap = drops.next();
        // The word [begin, end) is disturbed, behind so many draws.
        const auto disturb = [&](std::size_t begin, std::size_t end, std::uint64_t survivors) {
            state.waiting.push_back({begin, end, survivors, 0, 0, nullptr});
            if (state.words != nullptr) {
                State::Disturbed& waiting = state.waiting.back();
                waiting.hash = WordMerges::Key(ids + begin, end - begin).hash();
                state.words->near_slots(waiting.hash);
            } else if (state.memory != nullptr && end - begin <= Outcome::kMaxIn) {
                const TokenId in[2] = {ids[begin], end - begin == 2 ? ids[begin + 1] : kNoToken};
                prefetch(&state.memory->place(in, {Drops::after(survivors), 0}));
            }
            gap = drops.next();
            if (state.waiting.size() == kWaitingAtOnce) merge_waiting();
        };
        const auto begin_of = [&](std::size_t span) { return span == 0 ? 0 : document.span_ends[span - 1]; };
        for (std::size_t span = 0; span < document.n_spans;) {
            const std::size_t behind = draws_once_a_merge_ ? state.sums.sum(*merges_, document, span) : span;
            if (behind == span) {
                const std::size_t begin = begin_of(span), end = document.span_ends[span];
                const std::uint64_t n = n_draws(ids + begin, end - begin, state);
                if (gap >= n) {
                    gap -= n;
                } else {
                    disturb(begin, end, gap);
                }
                ++span;
                continue;
            }
            std::uint32_t passed = 0;
            for (std::size_t at = 0; gap < state.sums.total() - passed;) {
                const auto draw = static_cast<std::uint32_t>(passed + gap);
                at = state.sums.find(draw, at);
                const std::uint32_t before = at == 0 ? 0 : state.sums.until(at - 1);
                passed = state.sums.until(at);
                disturb(begin_of(span + at), document.span_ends[span + at], draw - before);
                ++at;
            }
            gap -= state.sums.total() - passed;
            span = behind;
        }
        merge_waiting();
        out.append(ids + copied, document.n_ids - copied);
    }
    if (parents != nullptr) append_parents(v, document, out, first_out, *parents);
}

}  // namespace fissile
