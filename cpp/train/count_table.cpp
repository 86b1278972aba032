#include "train/count_table.hpp"

#include <algorithm>
#include <bit>

#include "cpu/prefetch.hpp"
#include "train/count_sort.hpp"

namespace fissile {

namespace {

constexpr std::size_t kFirstShortSlots = 2048;
constexpr std::size_t kFirstLongSlots = 256;
// Blocks of longer pretokens: the first, and the largest. Large ones are mapped, so that the system has them back at
// once.
constexpr std::size_t kArenaBlock = std::size_t{256} << 10, kLargestArenaBlock = std::size_t{4} << 20;

// Slots for n entries: at most half of them full, since most probes should end at their first slot.
std::size_t slots_for(std::size_t n, std::size_t n_slots) {
    while (n * 2 > n_slots) n_slots *= 2;
    return n_slots;
}

unsigned shift_of(std::size_t n_slots) { return static_cast<unsigned>(64 - std::countr_zero(n_slots)); }

std::uint64_t hash_of(std::uint64_t low, std::uint64_t high) noexcept { return hash_words(low, high); }

// 0 marks an empty slot.
std::uint64_t long_hash(Bytes pretoken) noexcept { return hash_bytes(pretoken.data(), pretoken.size()) | 1; }

}  // namespace

CountTable::CountTable() {
    grow_shorts(kFirstShortSlots);
    grow_longs(kFirstLongSlots);
}

std::size_t CountTable::n_bytes() const { return short_memory_.n_bytes() + long_memory_.n_bytes() + arena_bytes_; }

bool CountTable::make_room(std::size_t n, std::size_t n_bytes, std::size_t max_bytes) {
    const std::size_t short_slots = slots_for(n_shorts_ + n, n_short_slots_);
    const std::size_t long_slots = slots_for(n_longs_ + std::min(n, n_bytes / (kMaxInlinePiece + 1)), n_long_slots_);
    const bool more_shorts = short_slots != n_short_slots_, more_longs = long_slots != n_long_slots_;
    const bool more_arena = arena_left_ < n_bytes;
    if (!more_shorts && !more_longs && !more_arena) return true;
    const std::size_t block = std::max(std::clamp(arena_bytes_, kArenaBlock, kLargestArenaBlock), n_bytes);
    // While a table grows, the old one is still there.
    const std::size_t more = (more_shorts ? short_slots * sizeof(Short) : 0) +
                             (more_longs ? long_slots * sizeof(Long) : 0) + (more_arena ? block : 0);
    if (!empty() && this->n_bytes() + more > max_bytes) return false;
    if (more_arena) {
        // What is left of the last block is lost: at most a batch of it.
        arena_.emplace_back(block);
        arena_at_ = static_cast<std::uint8_t*>(arena_.back().data());
        arena_left_ = arena_.back().n_bytes();
        arena_bytes_ += arena_left_;
    }
    if (more_shorts) grow_shorts(short_slots);
    if (more_longs) grow_longs(long_slots);
    return true;
}

void CountTable::grow_shorts(std::size_t n_slots) {
    HugeBuffer bigger(n_slots * sizeof(Short));
    auto* const slots = static_cast<Short*>(bigger.data());
    const unsigned shift = shift_of(n_slots);
    for (const Short* old = shorts(); old != shorts() + n_short_slots_; ++old) {
        if (old->high == 0) continue;
        std::size_t at = hash_of(old->low, old->high) >> shift;
        while (slots[at].high != 0) at = (at + 1) & (n_slots - 1);
        slots[at] = *old;
    }
    short_memory_ = std::move(bigger);
    n_short_slots_ = n_slots;
    short_shift_ = shift;
}

void CountTable::grow_longs(std::size_t n_slots) {
    HugeBuffer bigger(n_slots * sizeof(Long));
    auto* const slots = static_cast<Long*>(bigger.data());
    const unsigned shift = shift_of(n_slots);
    for (const Long* old = longs(); old != longs() + n_long_slots_; ++old) {
        if (old->hash == 0) continue;
        std::size_t at = old->hash >> shift;
        while (slots[at].hash != 0) at = (at + 1) & (n_slots - 1);
        slots[at] = *old;
    }
    long_memory_ = std::move(bigger);
    n_long_slots_ = n_slots;
    long_shift_ = shift;
}

void CountTable::add(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n,
                     std::uint64_t weight) noexcept {
    PieceKey keys[kBatch];
    Short* slots[kBatch];
    std::uint32_t long_spans[kBatch];
    std::size_t n_long = 0;
    Short* const table = shorts();
    const std::uint8_t* const bytes = text.data();
    std::size_t start = begin, i = 0;
    if (text.size() >= 16) {
        // Spans that begin here or before can be read 16 bytes at a time.
        const std::size_t last_wide = text.size() - 16;
        for (; i < n && start <= last_wide; ++i) {
            keys[i] = piece_key_from_16(bytes + start, ends[i] - start);
            slots[i] = table + (hash_of(keys[i].low, keys[i].high) >> short_shift_);
            prefetch(slots[i]);
            start = ends[i];
        }
    }
    for (; i < n; ++i) {
        keys[i] = piece_key(bytes + start, ends[i] - start);
        slots[i] = table + (hash_of(keys[i].low, keys[i].high) >> short_shift_);
        start = ends[i];
    }
    for (i = 0; i < n; ++i) {
        const PieceKey key = keys[i];
        Short* slot = slots[i];
        if (slot->low == key.low && slot->high == key.high) [[likely]] {
            slot->count += weight;
            continue;
        }
        if (key.high == kTooLong.high) {
            long_spans[n_long++] = static_cast<std::uint32_t>(i);
            continue;
        }
        while (slot->high != 0 && (slot->low != key.low || slot->high != key.high)) {
            if (++slot == table + n_short_slots_) slot = table;
        }
        if (slot->high == 0) {
            slot->low = key.low;
            slot->high = key.high;
            ++n_shorts_;
        }
        slot->count += weight;
    }
    if (n_long == 0) return;
    std::uint64_t hashes[kBatch];
    const auto span = [&](std::size_t index) {
        const std::size_t from = index == 0 ? begin : ends[index - 1];
        return text.subspan(from, ends[index] - from);
    };
    for (i = 0; i < n_long; ++i) {
        hashes[i] = long_hash(span(long_spans[i]));
        prefetch(longs() + (hashes[i] >> long_shift_));
    }
    for (i = 0; i < n_long; ++i) prefetch((longs() + (hashes[i] >> long_shift_))->data);
    for (i = 0; i < n_long; ++i) add_long(hashes[i], span(long_spans[i]), weight);
}

void CountTable::add_long(std::uint64_t hash, Bytes pretoken, std::uint64_t weight) noexcept {
    Long* slot = longs() + (hash >> long_shift_);
    while (slot->hash != 0 && (slot->hash != hash || slot->n_bytes != pretoken.size() ||
                               std::memcmp(slot->data, pretoken.data(), pretoken.size()) != 0)) {
        if (++slot == longs() + n_long_slots_) slot = longs();
    }
    if (slot->hash == 0) {
        *slot = {hash, keep(pretoken), pretoken.size(), 0};
        ++n_longs_;
    }
    slot->count += weight;
}

const std::uint8_t* CountTable::keep(Bytes pretoken) noexcept {
    std::uint8_t* const kept = arena_at_;
    std::memcpy(kept, pretoken.data(), pretoken.size());
    arena_at_ += pretoken.size();
    arena_left_ -= pretoken.size();
    return kept;
}

CountTable::Sorted CountTable::sort(Interrupt& interrupt) {
    Short* const s = shorts();
    std::size_t n = 0;
    for (std::size_t i = 0; i < n_short_slots_; ++i) {
        if (s[i].high != 0) s[n++] = {big_endian(s[i].low), big_endian(s[i].high), s[i].count};
    }
    Long* const l = longs();
    std::size_t n_long = 0;
    for (std::size_t i = 0; i < n_long_slots_; ++i) {
        if (l[i].hash != 0) l[n_long++] = {prefix_of(l[i].data), l[i].data, l[i].n_bytes, l[i].count};
    }
    sort_by_prefix(
        s, n, [](const Short& x) { return x.low; },
        [](const Short& x, const Short& y) { return x.low != y.low ? x.low < y.low : x.high < y.high; }, interrupt);
    sort_by_prefix(
        l, n_long, [](const Long& x) { return x.hash; },
        [](const Long& x, const Long& y) {
            if (x.hash != y.hash) return x.hash < y.hash;
            return less_bytes({x.data, x.n_bytes}, {y.data, y.n_bytes});
        },
        interrupt);
    return {{s, n}, {l, n_long}};
}

void CountTable::give_back_slots() {
    short_memory_.forget_beyond(n_shorts_ * sizeof(Short));
    long_memory_.forget_beyond(n_longs_ * sizeof(Long));
}

void CountTable::clear() {
    std::memset(short_memory_.data(), 0, n_short_slots_ * sizeof(Short));
    std::memset(long_memory_.data(), 0, n_long_slots_ * sizeof(Long));
    n_shorts_ = n_longs_ = 0;
    // One block is enough to begin with again.
    if (!arena_.empty()) arena_.clear();
    arena_at_ = nullptr;
    arena_left_ = arena_bytes_ = 0;
}

}  // namespace fissile
