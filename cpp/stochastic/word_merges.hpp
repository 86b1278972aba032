// All merges that may ever happen in a short word, found once, so that the word can be merged with any merges left out
// and no pair looked up again.
//
// The merges are those that word_chart.hpp finds. A word of n symbols, as far as it is merged, is a set of bits: where
// a token begins. A merge joins the tokens [i, k) and [k, j): it may happen where the bits i, k and j are set and no
// other from i to j, and it clears bit k. Merges stand in the order in which merging prefers them, so that one
// comparison of the bits with all merges, many at a time, gives those that may happen now, the best of them first. The
// ids are in a chart: one for each [i, j).
//
// Also kept, as most words lose one merge only: the bits before each merge of canonical merging, and those that are
// left in the end if the merge there is the only one that is dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "cpu/huge_buffer.hpp"
#include "cpu/prefetch.hpp"
#include "stochastic/replay.hpp"
#include "stochastic/word_chart.hpp"

namespace fissile {

// One word, in the memory that WordMemory gives it.
class WordMerges {
   public:
    static constexpr std::size_t kMaxIds = 4;

    // Canonical ids; those beyond the last are kNoToken.
    struct Key {
        TokenId ids[kMaxIds];

        Key(const TokenId* given, std::size_t n) {
            for (std::size_t i = 0; i < kMaxIds; ++i) ids[i] = i < n ? given[i] : kNoToken;
        }
        bool operator==(const Key&) const = default;
        std::uint64_t hash() const {
            const auto pair = [&](std::size_t i) { return std::uint64_t{ids[i]} << 32 | ids[i + 1]; };
            return hash_words(pair(0), pair(2));
        }
    };

    // What is left if the t-th merge of canonical merging is the only one dropped.
    struct Outcome {
        std::uint16_t begins;   // 0: not worked out yet
        std::uint16_t n_draws;  // behind the drop
    };

    const Key& key() const { return key_; }
    // False: too much may become of the word, or it is too long.
    bool is_known() const { return n_symbols_ != 0; }
    unsigned n_symbols() const { return n_symbols_; }
    // Of canonical merging.
    unsigned n_steps() const { return n_steps_; }
    // Where tokens begin before step t of canonical merging; with t = n_steps(), in the end.
    std::uint16_t before_step(unsigned t) const { return begins()[t]; }
    Outcome& outcome(unsigned t) { return outcomes()[t]; }
    PossibleMerges merges() const {
        const auto* const between = reinterpret_cast<const std::uint16_t*>(chart() + n_chart_bytes());
        return {between, between + n_merges_, n_merges_};
    }
    // Writes the tokens that begin at the bits of `begins`, which is what so many merges leave; returns how many. Up to
    // kMaxWritten ids are written to.
    std::size_t write(std::uint16_t begins, unsigned n_merged, TokenId* out) const;
    static constexpr std::size_t kMaxWritten = WordChart::kMaxSymbols;

   private:
    friend class WordMemory;

    WordMerges(const Key& key, std::size_t n_symbols, std::size_t n_merges)
        : key_(key), n_symbols_(static_cast<std::uint8_t>(n_symbols)), n_merges_(static_cast<std::uint8_t>(n_merges)) {}

    static constexpr std::size_t kIdBytes = 3;
    static constexpr TokenId kMaxId = 0xffffff;

    std::size_t n_cells() const { return n_symbols_ * (n_symbols_ + 1u) / 2; }
    const Outcome* outcomes() const { return reinterpret_cast<const Outcome*>(this + 1); }
    Outcome* outcomes() { return reinterpret_cast<Outcome*>(this + 1); }
    const std::uint16_t* begins() const { return reinterpret_cast<const std::uint16_t*>(outcomes() + n_symbols_); }
    // Three bytes an id; an even number of them, so that what is behind is aligned.
    const std::uint8_t* chart() const { return reinterpret_cast<const std::uint8_t*>(begins() + n_symbols_); }
    std::size_t n_chart_bytes() const { return (kIdBytes * n_cells() + 1) & ~std::size_t{1}; }
    std::size_t n_bytes() const {
        return sizeof(WordMerges) + n_symbols_ * (sizeof(Outcome) + sizeof(std::uint16_t)) + n_chart_bytes() +
               2 * n_merges_ * sizeof(std::uint16_t);
    }

    Key key_;
    std::uint8_t n_symbols_, n_merges_, n_steps_ = 0;
    // Behind it, what most words need first, as only the first lines are asked for ahead: outcomes [n_symbols], begins
    // [n_symbols], chart [n_cells], between and cuts [n_merges] each.
};

// Words met lately, in a ring: a new word takes the place of the oldest, and a word that is met again when it is old
// becomes new.
class WordMemory {
   public:
    WordMemory();

    // Words stay where they are for as many calls of the next two.
    static constexpr std::size_t kCallsToStay = 1024;

    // The word, or null. `place` is that of key.hash(); it holds for as many calls.
    WordMerges* find(const WordMerges::Key& key, std::uint32_t place);
    // The chart may be one of a word that is not known: then that is remembered.
    WordMerges* add(const WordMerges::Key& key, const WordChart& chart, ReplayKernel replay);

    // Where the word with this key.hash() may be.
    std::uint32_t place_of(std::uint64_t hash) const {
        const Slots& slots = slots_[hash % kLines];
        std::uint32_t place = 0;
        for (std::size_t i = 0; i < kSlotsALine; ++i) place |= slots.tags[i] == tag_of(hash) ? slots.places[i] : 0;
        return place;
    }
    // Have brought near what place_of will read, and what `find` will.
    FISSILE_PREFETCHES void near_slots(std::uint64_t hash) const { prefetch(&slots_[hash % kLines]); }
    FISSILE_PREFETCHES void near_word(std::uint32_t place) const {
        const auto* const word = reinterpret_cast<const std::uint8_t*>(at(place));
        for (std::size_t line = 0; line < 4; ++line) prefetch(word + 64 * line);
    }

   private:
    static constexpr std::size_t kUnit = 32, kUnits = std::size_t{1} << 20, kLines = 32768, kSlotsALine = 8;
    // Words whose hashes are of one line. No two have the same tag.
    struct alignas(64) Slots {
        std::uint32_t tags[kSlotsALine];
        std::uint32_t places[kSlotsALine];  // in units, as of `head_`; 0: none
    };
    static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
    // Units of the largest word, also read beyond its end by vectors.
    static constexpr std::size_t kMostUnits = 28;

    static_assert(kCallsToStay * kMostUnits < kUnits / 4);

    WordMerges* at(std::uint32_t place) const { return reinterpret_cast<WordMerges*>(bytes_ + place % kUnits * kUnit); }
    WordMerges* make_room(const WordMerges& word);
    // How long ago, in units.
    std::uint32_t age(std::uint32_t place) const { return head_ - place; }

    HugeBuffer memory_, slots_memory_;
    std::uint8_t* bytes_;
    Slots* slots_;
    std::uint32_t head_ = 0;
};

}  // namespace fissile
