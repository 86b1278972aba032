#include "stochastic/word_merges.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace fissile {

std::size_t WordMerges::write(std::uint16_t begins, TokenId* out) const {
    const TokenId* const ids = chart();
    std::size_t n = 0;
    std::uint32_t left = begins | 1u << n_symbols_;
    auto i = static_cast<std::size_t>(std::countr_zero(left));
    for (left &= left - 1; left != 0; left &= left - 1) {
        const auto j = static_cast<std::size_t>(std::countr_zero(left));
        out[n++] = ids[WordChart::cell(i, j)];
        i = j;
    }
    return n;
}

WordMemory::WordMemory()
    : memory_(kUnits * kUnit),
      slots_memory_(kSlots * sizeof(Slot)),
      bytes_(static_cast<std::uint8_t*>(memory_.data())),
      slots_(static_cast<Slot*>(slots_memory_.data())) {}

WordMerges* WordMemory::find(const WordMerges::Key& key, std::uint64_t hash) {
    const Slot slot = slots_[hash % kSlots];
    if (slot.tag != static_cast<std::uint32_t>(hash >> 32) || slot.place == 0 || age(slot.place) > kUnits - kMostUnits)
        return nullptr;
    WordMerges* const word = at(slot.place);
    if (word->key() != key) return nullptr;
    if (age(slot.place) <= kUnits / 2) return word;
    WordMerges* const moved = make_room(*word);
    std::memcpy(static_cast<void*>(moved), word, word->n_bytes());
    return moved;
}

// Room for a word at the front of the ring, with all that does not stand behind a WordMerges.
WordMerges* WordMemory::make_room(const WordMerges& word) {
    const std::uint64_t hash = word.key().hash();
    const auto n_units = static_cast<std::uint32_t>((word.n_bytes() + kUnit - 1) / kUnit);
    if (head_ > 0xffffffffu - 4 * kMostUnits) {  // after hundreds of gigabytes
        std::fill_n(slots_, kSlots, Slot{0, 0});
        head_ = 0;
    }
    if (head_ % kUnits + kMostUnits > kUnits) head_ += static_cast<std::uint32_t>(kUnits - head_ % kUnits);
    head_ = std::max(head_, 1u);  // 0 is no place
    WordMerges* const room = at(head_);
    *room = word;
    slots_[hash % kSlots] = {static_cast<std::uint32_t>(hash >> 32), head_};
    head_ += n_units;
    return room;
}

WordMerges* WordMemory::add(const WordMerges::Key& key, const WordChart& chart, ReplayKernel replay) {
    const std::size_t n = chart.n_symbols();
    if (n == 0) return make_room({key, 0, 0});
    WordMerges* const word = make_room({key, n, chart.n_merges()});
    std::fill_n(word->outcomes(), n, WordMerges::Outcome{0, 0});
    std::memcpy(const_cast<TokenId*>(word->chart()), chart.tokens(), word->n_cells() * sizeof(TokenId));
    auto* const ends = const_cast<std::uint16_t*>(word->merges().ends);
    auto* const between = ends + chart.n_merges();
    auto* const cuts = between + chart.n_merges();
    auto* const begins = const_cast<std::uint16_t*>(word->begins());
    std::uint8_t sorted[WordChart::kMaxMerges];
    chart.sort(sorted);
    const std::uint32_t all = (1u << n) - 1;
    for (std::size_t m = 0; m < chart.n_merges(); ++m) {
        const WordChart::Merge& merge = chart.merges()[sorted[m]];
        const std::uint32_t first = 1u << merge.first, end = 1u << merge.end;
        ends[m] = static_cast<std::uint16_t>(all & (first | end));
        between[m] = static_cast<std::uint16_t>(end - 2 * first);
        cuts[m] = merge.cuts;
    }
    Replay steps{static_cast<std::uint16_t>((1u << n) - 1)};
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
