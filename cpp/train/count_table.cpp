#include "train/count_table.hpp"

#include <algorithm>
#include <bit>

#include "cpu/prefetch.hpp"
#include "train/count_sort.hpp"

namespace fissile {

namespace {

constexpr std::size_t kFirstShortSlots = 2048, kFirstMediumSlots = 256, kFirstLongSlots = 64;
// Longer ones are set apart without jumps where more than one in as many is.
constexpr std::size_t kOftenLonger = 32;
// Blocks of longer pretokens: the first, and the largest. Large ones are mapped, so that the system has them back at
// once.
constexpr std::size_t kArenaBlock = std::size_t{256} << 10, kLargestArenaBlock = std::size_t{4} << 20;

// 0 marks an empty slot.
std::uint64_t long_hash(Bytes pretoken) noexcept { return hash_bytes(pretoken.data(), pretoken.size()) | 1; }

// Of text[start, start + n_bytes), 16 to kMaxMedium bytes.
CountTable::Medium medium_key(Bytes text, std::size_t start, std::size_t n_bytes) noexcept {
    CountTable::Medium key;
    const std::uint8_t* const bytes = text.data() + start;
    std::memcpy(key.words, bytes, 16);
    const PieceKey rest =
        start + 32 <= text.size() ? piece_key_from_16(bytes + 16, n_bytes - 16) : piece_key(bytes + 16, n_bytes - 16);
    key.words[2] = rest.low;
    key.words[3] = rest.high + (std::uint64_t{16} << 56);
    key.count = 0;
    return key;
}

}  // namespace

template <class Slot>
Slot* CountTable::Slots<Slot>::find(Slot* slot, const Slot& wanted) const noexcept {
    while (!slot->is_empty() && !slot->holds(wanted)) {
        if (++slot == data() + n_slots) slot = data();
    }
    return slot;
}

// At most half of them full, since most probes should end at their first slot.
template <class Slot>
std::size_t CountTable::Slots<Slot>::slots_for(std::size_t n_more) const {
    std::size_t n = n_slots;
    while ((n_used + n_more) * 2 > n) n *= 2;
    return n;
}

template <class Slot>
void CountTable::Slots<Slot>::grow(std::size_t n_wanted) {
    if (n_wanted == n_slots) return;
    Slots bigger{HugeBuffer(n_wanted * sizeof(Slot)), n_wanted, n_used,
                 static_cast<unsigned>(64 - std::countr_zero(n_wanted))};
    for (const Slot* old = data(); old != data() + n_slots; ++old) {
        if (old->is_empty()) continue;
        Slot* slot = bigger.home(old->hash());
        while (!slot->is_empty()) {
            if (++slot == bigger.data() + n_wanted) slot = bigger.data();
        }
        *slot = *old;
    }
    *this = std::move(bigger);
}

template <class Slot>
void CountTable::Slots<Slot>::clear() noexcept {
    std::memset(memory.data(), 0, n_slots * sizeof(Slot));
    n_used = 0;
}

CountTable::CountTable() {
    shorts_.grow(kFirstShortSlots);
    mediums_.grow(kFirstMediumSlots);
    longs_.grow(kFirstLongSlots);
}

std::size_t CountTable::n_bytes() const {
    return shorts_.memory.n_bytes() + mediums_.memory.n_bytes() + longs_.memory.n_bytes() + arena_bytes_;
}

bool CountTable::make_room(std::size_t n, std::size_t n_bytes, std::size_t max_bytes) {
    const std::size_t short_slots = shorts_.slots_for(n);
    const std::size_t medium_slots = mediums_.slots_for(std::min(n, n_bytes / (kMaxInlinePiece + 1)));
    const std::size_t long_slots = longs_.slots_for(std::min(n, n_bytes / (kMaxMedium + 1)));
    const bool more_arena = arena_left_ < n_bytes;
    const auto more_of = [](const auto& slots, std::size_t n_wanted) {
        return n_wanted == slots.n_slots ? 0 : n_wanted * sizeof(*slots.data());
    };
    // While a table grows, the old one is still there.
    const std::size_t more_slots =
        more_of(shorts_, short_slots) + more_of(mediums_, medium_slots) + more_of(longs_, long_slots);
    if (more_slots == 0 && !more_arena) return true;
    const std::size_t block = std::max(std::clamp(arena_bytes_, kArenaBlock, kLargestArenaBlock), n_bytes);
    if (!empty() && this->n_bytes() + more_slots + (more_arena ? block : 0) > max_bytes) return false;
    if (more_arena) {
        // What is left of the last block is lost: at most a batch of it.
        arena_.emplace_back(block);
        arena_at_ = static_cast<std::uint8_t*>(arena_.back().data());
        arena_left_ = arena_.back().n_bytes();
        arena_bytes_ += arena_left_;
    }
    shorts_.grow(short_slots);
    mediums_.grow(medium_slots);
    longs_.grow(long_slots);
    return true;
}

void CountTable::add(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n,
                     std::uint64_t weight) noexcept {
    // Longer ones come rarely, and a jump is nearly always right; or often, and it would not be. Which it is hardly
    // changes within a text.
    std::uint16_t longer[kBatch];
    const std::size_t n_longer = often_longer_ ? add_shorts<true>(text, begin, ends, n, weight, longer)
                                               : add_shorts<false>(text, begin, ends, n, weight, longer);
    often_longer_ = n_longer * kOftenLonger > n;
    if (n_longer != 0) add_longer(text, begin, ends, longer, n_longer, weight);
}

// Those of at most kMaxInlinePiece bytes. Writes which the others are; how many.
template <bool kSetApart>
std::size_t CountTable::add_shorts(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n,
                                   std::uint64_t weight, std::uint16_t* longer) noexcept {
    PieceKey keys[kBatch];
    Short* slots[kBatch];
    std::size_t n_longer = 0, n_short = 0;
    Short* const table = shorts_.data();
    const unsigned shift = shorts_.shift;
    const std::uint8_t* const bytes = text.data();
    std::size_t start = begin, i = 0;
    const auto put = [&](PieceKey key) {
        keys[n_short] = key;
        slots[n_short] = table + (hash_words(key.low, key.high) >> shift);
        prefetch(slots[n_short]);
        if constexpr (kSetApart) {
            const std::size_t is_longer = key.high == kTooLong.high;
            longer[n_longer] = static_cast<std::uint16_t>(i);
            n_longer += is_longer;
            n_short -= is_longer;
        }
        ++n_short;
    };
    if (text.size() >= 16) {
        // Spans that begin here or before can be read 16 bytes at a time.
        const std::size_t last_wide = text.size() - 16;
        for (; i < n && start <= last_wide; ++i) {
            put(piece_key_from_16(bytes + start, ends[i] - start));
            start = ends[i];
        }
    }
    for (; i < n; ++i) {
        put(piece_key(bytes + start, ends[i] - start));
        start = ends[i];
    }
    for (i = 0; i < n_short; ++i) {
        const PieceKey key = keys[i];
        Short* slot = slots[i];
        if (slot->low == key.low && slot->high == key.high) [[likely]] {
            slot->count += weight;
            continue;
        }
        if (!kSetApart && key.high == kTooLong.high) {
            longer[n_longer++] = static_cast<std::uint16_t>(i);
            continue;
        }
        slot = shorts_.find(slot, {key.low, key.high, 0});
        if (slot->is_empty()) {
            slot->low = key.low;
            slot->high = key.high;
            ++shorts_.n_used;
        }
        slot->count += weight;
    }
    return n_longer;
}

// Those of more than kMaxInlinePiece bytes, which `longer` says.
void CountTable::add_longer(Bytes text, std::size_t begin, const std::uint32_t* ends, const std::uint16_t* longer,
                            std::size_t n, std::uint64_t weight) noexcept {
    Medium mediums[kBatch];
    Medium* slots[kBatch];
    Long longs[kBatch];
    std::size_t n_medium = 0, n_long = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t from = longer[i] == 0 ? begin : ends[longer[i] - 1];
        const std::size_t n_bytes = ends[longer[i]] - from;
        if (n_bytes <= kMaxMedium) [[likely]] {
            mediums[n_medium] = medium_key(text, from, n_bytes);
            Medium* const slot = mediums_.home(mediums[n_medium].hash());
            prefetch(slot);
            prefetch(&slot->count);
            slots[n_medium++] = slot;
        } else {
            longs[n_long] = {long_hash(text.subspan(from, n_bytes)), text.data() + from, n_bytes, 0};
            prefetch(longs_.home(longs[n_long++].prefix));
        }
    }
    for (std::size_t i = 0; i < n_medium; ++i) {
        Medium* const slot = mediums_.find(slots[i], mediums[i]);
        if (slot->is_empty()) {
            *slot = mediums[i];
            ++mediums_.n_used;
        }
        slot->count += weight;
    }
    for (std::size_t i = 0; i < n_long; ++i) prefetch(longs_.home(longs[i].prefix)->data);
    for (std::size_t i = 0; i < n_long; ++i) {
        Long* const slot = longs_.find(longs_.home(longs[i].prefix), longs[i]);
        if (slot->is_empty()) {
            *slot = longs[i];
            slot->data = keep({longs[i].data, static_cast<std::size_t>(longs[i].n_bytes)});
            ++longs_.n_used;
        }
        slot->count += weight;
    }
}

const std::uint8_t* CountTable::keep(Bytes pretoken) noexcept {
    std::uint8_t* const kept = arena_at_;
    std::memcpy(kept, pretoken.data(), pretoken.size());
    arena_at_ += pretoken.size();
    arena_left_ -= pretoken.size();
    return kept;
}

CountTable::Sorted CountTable::sort(Interrupt& interrupt) {
    // To the front of the slots, in a form that orders as the bytes do.
    const auto gather = [](const auto& slots, const auto& ordered) {
        auto* const all = slots.data();
        std::size_t n = 0;
        for (std::size_t i = 0; i < slots.n_slots; ++i) {
            if (!all[i].is_empty()) all[n++] = ordered(all[i]);
        }
        return std::span(all, n);
    };
    const auto shorts =
        gather(shorts_, [](const Short& x) -> Short { return {big_endian(x.low), big_endian(x.high), x.count}; });
    const auto mediums = gather(mediums_, [](Medium x) {
        for (std::uint64_t& word : x.words) word = big_endian(word);
        return x;
    });
    const auto longs =
        gather(longs_, [](const Long& x) -> Long { return {prefix_of(x.data), x.data, x.n_bytes, x.count}; });
    sort_by_prefix(
        shorts.data(), shorts.size(), [](const Short& x) { return x.low; },
        [](const Short& x, const Short& y) { return x.low != y.low ? x.low < y.low : x.high < y.high; }, interrupt);
    sort_by_prefix(
        mediums.data(), mediums.size(), [](const Medium& x) { return x.words[0]; },
        [](const Medium& x, const Medium& y) { return std::ranges::lexicographical_compare(x.words, y.words); },
        interrupt);
    sort_by_prefix(
        longs.data(), longs.size(), [](const Long& x) { return x.prefix; },
        [](const Long& x, const Long& y) {
            if (x.prefix != y.prefix) return x.prefix < y.prefix;
            return less_bytes({x.data, x.n_bytes}, {y.data, y.n_bytes});
        },
        interrupt);
    return {shorts, mediums, longs};
}

void CountTable::give_back_slots() {
    shorts_.memory.forget_beyond(shorts_.n_used * sizeof(Short));
    mediums_.memory.forget_beyond(mediums_.n_used * sizeof(Medium));
    longs_.memory.forget_beyond(longs_.n_used * sizeof(Long));
}

void CountTable::clear() {
    shorts_.clear();
    mediums_.clear();
    longs_.clear();
    // One block is enough to begin with again.
    if (!arena_.empty()) arena_.clear();
    arena_at_ = nullptr;
    arena_left_ = arena_bytes_ = 0;
}

}  // namespace fissile
