#include "stochastic/word_merges.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace fissile {

std::size_t WordMerges::write(std::uint16_t begins, unsigned n_merged, TokenId* out) const {
    // Most words are left with four tokens at most, so four are written without asking: those that are not there end
    // at bits beyond the word, and mean nothing.
    constexpr std::size_t kAtOnce = 4;
    static_assert(WordChart::kMaxSymbols + kAtOnce < 32 && kAtOnce <= kMaxWritten);
    const std::uint8_t* const ids = chart();
    const std::size_t n = n_symbols_ - n_merged;
    std::uint32_t left = begins | ~std::uint32_t{0} << n_symbols_;
    auto i = static_cast<std::size_t>(std::countr_zero(left));
    const auto write_next = [&](std::size_t at) {
        left &= left - 1;
        const auto j = static_cast<std::size_t>(std::countr_zero(left));
        TokenId id;  // and a byte of the next one
        std::memcpy(&id, ids + kIdBytes * WordChart::cell(i, j), sizeof id);
        out[at] = id & kMaxId;
        i = j;
    };
    for (std::size_t at = 0; at < kAtOnce; ++at) write_next(at);
    for (std::size_t at = kAtOnce; at < n; ++at) write_next(at);
    return n;
}

WordMemory::WordMemory()
    : memory_(kUnits * kUnit),
      slots_memory_(kLines * sizeof(Slots)),
      bytes_(static_cast<std::uint8_t*>(memory_.data())),
      slots_(static_cast<Slots*>(slots_memory_.data())) {}

WordMerges* WordMemory::find(const WordMerges::Key& key, std::uint32_t place) {
    if (place == 0 || age(place) > kUnits - kMostUnits) return nullptr;
    WordMerges* const word = at(place);
    if (word->key() != key) return nullptr;
    if (age(place) <= kUnits / 2) return word;
    WordMerges* const moved = make_room(*word);
    std::memcpy(static_cast<void*>(moved), word, word->n_bytes());
    return moved;
}

// Room for a word at the front of the ring, with all that does not stand behind a WordMerges.
WordMerges* WordMemory::make_room(const WordMerges& word) {
    const std::uint64_t hash = word.key().hash();
    const auto n_units = static_cast<std::uint32_t>((word.n_bytes() + kUnit - 1) / kUnit);
    if (head_ > 0xffffffffu - 4 * kMostUnits) {  // after hundreds of gigabytes
        std::fill_n(slots_, kLines, Slots{});
        head_ = 0;
    }
    if (head_ % kUnits + kMostUnits > kUnits) head_ += static_cast<std::uint32_t>(kUnits - head_ % kUnits);
    head_ = std::max(head_, 1u);  // 0 is no place
    WordMerges* const room = at(head_);
    *room = word;
    Slots& slots = slots_[hash % kLines];
    std::size_t slot = 0;  // the oldest
    for (std::size_t i = 0; i < kSlotsALine; ++i) {
        if (age(slots.places[i]) > age(slots.places[slot])) slot = i;
    }
    for (std::size_t i = 0; i < kSlotsALine; ++i) {
        if (slots.tags[i] == tag_of(hash)) slot = i;
    }
    slots.tags[slot] = tag_of(hash);
    slots.places[slot] = head_;
    head_ += n_units;
    return room;
}

WordMerges* WordMemory::add(const WordMerges::Key& key, const WordChart& chart, ReplayKernel replay) {
    std::size_t n = chart.n_symbols();
    for (std::size_t cell = 0; cell < n * (n + 1) / 2; ++cell) {
        if (chart.tokens()[cell] > WordMerges::kMaxId && chart.tokens()[cell] != kNoToken) n = 0;
    }
    if (n == 0) return make_room({key, 0, 0});
    WordMerges* const word = make_room({key, n, chart.n_merges()});
    std::fill_n(word->outcomes(), n, WordMerges::Outcome{0, 0});
    auto* const ids = const_cast<std::uint8_t*>(word->chart());
    for (std::size_t cell = 0; cell < word->n_cells(); ++cell) {
        std::memcpy(ids + WordMerges::kIdBytes * cell, chart.tokens() + cell, sizeof(TokenId));  // and a byte beyond
    }
    auto* const between = const_cast<std::uint16_t*>(word->merges().between);
    auto* const cuts = between + chart.n_merges();
    auto* const begins = const_cast<std::uint16_t*>(word->begins());
    std::uint8_t sorted[WordChart::kMaxMerges];
    chart.sort(sorted);
    for (std::size_t m = 0; m < chart.n_merges(); ++m) {
        const WordChart::Merge& merge = chart.merges()[sorted[m]];
        const std::uint32_t first = 1u << merge.first, end = 1u << merge.end;
        between[m] = static_cast<std::uint16_t>(end - 2 * first);
        cuts[m] = merge.cuts;
    }
    Replay steps{static_cast<std::uint16_t>(~0u)};
    for (std::uint16_t before = steps.begins;; before = steps.begins) {
        begins[steps.n_steps] = before;
        Replay next{before};
        replay(word->merges(), next, 1);
        if (next.n_steps == 0) break;
        steps.begins = next.begins;
        ++steps.n_steps;
    }
    word->n_steps_ = static_cast<std::uint8_t>(steps.n_steps);
    return word;
}

}  // namespace fissile
