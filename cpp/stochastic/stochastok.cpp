#include "stochastic/stochastok.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

#include "cpu/prefetch.hpp"
#include "stochastic/piece_order.hpp"
#include "stochastic/random.hpp"

namespace fissile {

namespace {

// Places are 32 bits, and the last one is none.
constexpr std::size_t kMaxDocument = 0xffffffffu - 1;
// Tries whose memory is asked for together.
constexpr std::size_t kTriesAtOnce = 32;
// Smaller pools are in a cache already.
constexpr std::size_t kLargePool = std::size_t{1} << 15;

std::size_t n_tries(std::size_t n, double p) { return static_cast<std::size_t>(static_cast<double>(n) * p); }

// Throws Error if one is not in the vocabulary. What counts is the copy: where ids come from, another thread may write.
void copy_ids(const SpannedIds& document, std::size_t n_vocab, TokenId* to) {
    // The top bit tells: that of an id, or of how far it is below the end of a vocabulary, is set where it should not
    // be. Without a comparison, which the vectors that every machine has can do for signed numbers only.
    const auto last = static_cast<TokenId>(n_vocab - 1);
    TokenId wrong = 0;
    for (std::size_t i = 0; i < document.n_ids; ++i) {
        const TokenId id = document.ids[i];
        to[i] = id;
        wrong |= id | (last - id);
    }
    if (document.n_ids != 0 && (wrong >> 31) != 0) throw Error("ids hold one outside the vocabulary");
}

}  // namespace

// The sequence while it is split. Slots below n_input are the input's places, in order.
class StochasTok::Pool final : public Splitter::Scratch {
   public:
    // A long document is split where its ids are to be, as memory that is touched for the first time costs more than
    // all else.
    void start(const SpannedIds& document, std::size_t n_vocab, std::size_t n_appended_at_most, IdArray& out) {
        n_input = size = document.n_ids;
        n_asked_ = 0;
        is_in_place_ = n_input > PieceOrder::kBlock;
        const std::size_t most = size + n_appended_at_most + 1;  // a spent try writes to the next free slot, too
        if (is_in_place_) {
            out.reserve_more(most + PieceOrder::kSpare);
            ids = out.data() + out.size();
        } else {
            pieces_.clear();
            pieces_.reserve_more(most + PieceOrder::kSpare);
            ids = pieces_.append_uninitialised(most);
        }
        copy_ids(document, n_vocab, ids);
        left_slots_.clear();
        left_slots_.reserve_more(n_appended_at_most + 1);
        lefts = left_slots_.append_uninitialised(n_appended_at_most + 1);
    }

    // One try.
    void attempt(const SplitTable& table, const std::uint8_t* few_pairs, RandomWords& positions, RandomWords& choices) {
        const std::uint32_t slot = positions.below(static_cast<std::uint32_t>(size));
        const TokenId id = ids[slot];
        const std::uint32_t n_pairs = few_pairs[id] != SplitTable::kMany ? few_pairs[id] : table.n_pairs(id);
        if (n_pairs == 0) return;
        const SplitTable::Pair pair = table.pair(id, choices.below(n_pairs));
        ids[slot] = pair.left;
        ids[size] = pair.right;
        lefts[size - n_input] = slot;
        ++size;
    }

    // As many of `n_tries`, which are kTriesAtOnce at most, as need no second thought, for which neither stream has to
    // be refilled; returns how many. Without a jump, as whether a token has splits is not to be predicted. Pairs are
    // far away: they are asked for, and taken when all tries are done; until then their places hold an id that stops a
    // try.
    std::size_t attempt_some(std::size_t n_tries, const SplitTable& table, const std::uint8_t* few_pairs,
                             RandomWords& positions, RandomWords& choices) {
        const std::span<const std::uint32_t> words = positions.ahead(), picks = choices.ahead();
        n_tries = std::min({n_tries, words.size(), picks.size()});
        const auto being_split = static_cast<TokenId>(table.n_vocab());
        std::array<std::uint32_t, kTriesAtOnce> places;  // of pairs
        TokenId* const tokens = ids;
        std::uint32_t* const left_of = lefts + (size - n_input);
        std::uint64_t n = size;
        std::size_t tried = 0, n_picked = 0;
        for (; tried < n_tries; ++tried) {
            const std::uint64_t where = words[tried] * n;
            const std::size_t slot = where >> 32;
            const TokenId id = tokens[slot];
            const std::uint32_t n_pairs = few_pairs[id];
            const std::uint64_t which = std::uint64_t{picks[n_picked]} * n_pairs;
            // A word that may have to be drawn again, for either, or a long list of pairs.
            const bool hard = (static_cast<std::uint32_t>(where) < n) | (static_cast<std::uint32_t>(which) < n_pairs) |
                              (n_pairs == SplitTable::kMany);
            if (hard) [[unlikely]]
                break;
            places[n_picked] = table.place(id, static_cast<std::uint32_t>(which >> 32));
            table.ask(places[n_picked]);
            left_of[n_picked] = static_cast<std::uint32_t>(slot);
            const std::uint64_t splits = n_pairs != 0;
            tokens[slot] = id ^ ((id ^ being_split) & (0u - static_cast<std::uint32_t>(splits)));
            tokens[n] = being_split;
            n += splits;
            n_picked += splits;
        }
        for (std::size_t i = 0; i < n_picked; ++i) {
            const SplitTable::Pair pair = table.pair_at(places[i]);
            tokens[left_of[i]] = pair.left;
            tokens[size + i] = pair.right;
        }
        size = n;
        positions.drop(tried);
        choices.drop(n_picked);
        return tried;
    }

    // Asks for the memory of these tries, once more, and of those after them. Where they will be is known nearly, as it
    // is not known which tries until then will split: as many as until now.
    FISSILE_PREFETCHES void ask(RandomWords& positions, std::uint64_t n_tried) {
        const auto words = positions.ahead();
        const std::uint64_t growth = n_tried == 0 ? 256 : 256 * (size - n_input) / n_tried;  // of 256 tries
        const auto slot = [&](std::size_t i) { return words[i] * (size + (i * growth >> 8)) >> 32; };
        const std::size_t n_near = std::min(words.size(), kTriesAtOnce), n = std::min(words.size(), 4 * kTriesAtOnce);
        for (std::size_t i = std::max(n_asked_, n_near); i < n; ++i) prefetch_far(ids + slot(i));
        for (std::size_t i = 0; i < n_near; ++i) prefetch(ids + slot(i));
        n_asked_ = n - n_near;
    }

    // Appends the pieces in order, and as many parents.
    void write(IdArray& out, IdArray* parents) {
        TokenId* parent = nullptr;
        if (parents != nullptr) {
            parents->reserve_more(size);
            parent = parents->append_uninitialised(size);
        }
        const std::size_t n_splits = size - n_input;
        if (is_in_place_) {
            out.append_uninitialised(size);
            order_.write_in_place(ids, n_input, lefts, n_splits, parent, interrupt);
        } else {
            out.reserve_more(size + kSpare);
            order_.write({ids, n_input, lefts, n_splits}, out.append_uninitialised(size), parent, 0, interrupt);
        }
    }

    TokenId* ids = nullptr;
    std::uint32_t* lefts = nullptr;  // of each right half the slot of its left one
    std::size_t n_input = 0, size = 0;

   private:
    IdArray pieces_, left_slots_;
    PieceOrder order_;
    std::size_t n_asked_ = 0;  // next tries whose memory was asked for
    bool is_in_place_ = false;
};

StochasTok::StochasTok(std::shared_ptr<const SplitTable> table, double p, std::uint64_t max_expansions,
                       const std::vector<TokenId>& deny)
    : table_(std::move(table)), p_(p), max_expansions_(max_expansions) {
    for (const TokenId id : deny) {
        if (id >= table_->n_vocab()) {
            throw Error("deny holds " + std::to_string(id) + ", outside the vocabulary of " +
                        std::to_string(table_->n_vocab()) + " ids");
        }
        if (own_few_pairs_.empty()) own_few_pairs_ = table_->few_pairs();
        own_few_pairs_[id] = 0;
    }
    few_pairs_ = own_few_pairs_.empty() ? table_->few_pairs().data() : own_few_pairs_.data();
}

std::unique_ptr<Splitter::Scratch> StochasTok::make_scratch() const { return std::make_unique<Pool>(); }

std::size_t StochasTok::max_ids(std::size_t n, double p) const {
    return n + static_cast<std::size_t>(std::min<std::uint64_t>(n_tries(n, p), max_expansions_));
}

void StochasTok::split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
                       IdArray* parents) const {
    split(document, p_, key, scratch, out, parents);
}

void StochasTok::split(const SpannedIds& document, double p, const DocumentKey& key, Scratch& scratch, IdArray& out,
                       IdArray* parents) const {
    const std::size_t n = document.n_ids;
    const std::size_t most = max_ids(n, p);
    if (most > kMaxDocument) {
        throw Error("a document of " + std::to_string(n) +
                    " ids is too long to split: " + std::to_string(kMaxDocument) + " are the most that may come out");
    }
    if (most == n) {  // no tries
        out.reserve_more(n);
        copy_ids(document, n_vocab(), out.append_uninitialised(n));
        if (parents != nullptr) {
            parents->reserve_more(n);
            TokenId* const places = parents->append_uninitialised(n);
            std::iota(places, places + n, TokenId{0});
        }
        return;
    }
    Pool& pool = static_cast<Pool&>(scratch);
    pool.start(document, table_->n_vocab(), most - n, out);
    const std::uint64_t n_all = n_tries(n, p);
    std::uint64_t tries = n_all;
    RandomWords positions(key, RandomUse::kPositions, tries), choices(key, RandomUse::kChoices, tries);
    while (tries > 0 && pool.size < most) {
        std::size_t n_now = std::min({tries, std::uint64_t{kTriesAtOnce}, std::uint64_t{most - pool.size}});
        if (n >= kLargePool) pool.ask(positions, n_all - tries);
        tries -= n_now;
        while (n_now > 0) {
            const std::size_t n_done = pool.attempt_some(n_now, *table_, few_pairs_, positions, choices);
            if (n_done == 0) pool.attempt(*table_, few_pairs_, positions, choices);
            n_now -= std::max<std::size_t>(n_done, 1);
        }
        if (tries > 0 && scratch.interrupt != nullptr) scratch.interrupt->check();
    }
    pool.write(out, parents);
}

}  // namespace fissile
