#include "train/count_table.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

#include "cpu/prefetch.hpp"
#include "train/count_sort.hpp"

namespace fissile {

namespace {

constexpr std::size_t kFirstShortPlaces = 2048, kFirstMediumPlaces = 256, kFirstLongPlaces = 64;
// Of the places at most one in so many is taken, since most probes should end at their first.
constexpr std::size_t kPlacesEach = 4;
// With so many places, what is found by them is not near any more.
constexpr std::size_t kFrontFrom = 16384;
constexpr std::size_t kFrontEntries = std::size_t{1} << FrontTable::kBits;
constexpr std::size_t kFrontBytes = kFrontEntries * sizeof(FoundPiece);
// Blocks of longer pretokens: the first, and the largest. Large ones are mapped, so that the system has them back at
// once.
constexpr std::size_t kArenaBlock = std::size_t{256} << 10, kLargestArenaBlock = std::size_t{4} << 20;

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

// What the kernel finds belongs to the front table of the caller. The word of the first two ids is the count.
PieceKey& key_of(const FoundPiece* found) noexcept { return const_cast<FoundPiece*>(found)->key; }
std::uint64_t& count_of(const FoundPiece* found) noexcept { return const_cast<FoundPiece*>(found)->ids[0]; }

}  // namespace

template <class Entry>
Entry& CountTable::Entries<Entry>::find_or_add(Place* place, const Entry& wanted) noexcept {
    Entry* const all = data();
    for (; *place != 0; place = after(place)) {
        if (all[*place].holds(wanted)) return all[*place];
    }
    *place = static_cast<Place>(++n_used);
    all[n_used] = wanted;
    all[n_used].count = 0;
    return all[n_used];
}

template <class Entry>
std::size_t CountTable::Entries<Entry>::places_for(std::size_t n_more) const {
    std::size_t n = n_places;
    while ((n_used + n_more) * kPlacesEach > n) n *= 2;
    return n;
}

template <class Entry>
void CountTable::Entries<Entry>::grow(std::size_t n_wanted) {
    if (n_wanted == n_places) return;
    const std::size_t most = n_wanted / kPlacesEach;
    if (most > std::numeric_limits<Place>::max()) {
        throw Error("found " + std::to_string(n_used) + " distinct pretokens on one thread, expected at most 2^31");
    }
    memory.resize((most + 1) * sizeof(Entry));
    if (n_places == 0) std::memset(memory.data(), 0, sizeof(Entry));  // looked at where nothing is, and nobody's
    places = HugeBuffer();
    places = HugeBuffer(n_wanted * sizeof(Place));
    n_places = n_wanted;
    shift = static_cast<unsigned>(64 - std::countr_zero(n_wanted));
    // In the order in which they came, so that what comes often is where its hash says.
    Place* homes[kBatch];
    for (std::size_t first = 1, n; first <= n_used; first += n) {
        n = std::min(n_used + 1 - first, kBatch);
        for (std::size_t i = 0; i < n; ++i) {
            homes[i] = home(data()[first + i].hash());
            prefetch(homes[i]);
        }
        for (std::size_t i = 0; i < n; ++i) {
            Place* place = homes[i];
            while (*place != 0) place = after(place);
            *place = static_cast<Place>(first + i);
        }
    }
}

template <class Entry>
void CountTable::Entries<Entry>::clear() noexcept {
    std::memset(places.data(), 0, n_places * sizeof(Place));
    n_used = 0;
}

CountTable::CountTable() : kernels_(front_kernels_for(chosen_isa())) {
    shorts_.grow(kFirstShortPlaces);
    mediums_.grow(kFirstMediumPlaces);
    longs_.grow(kFirstLongPlaces);
}

std::size_t CountTable::n_bytes() const {
    const auto bytes_of = [](const auto& entries) { return entries.memory.n_bytes() + entries.places.n_bytes(); };
    return bytes_of(shorts_) + bytes_of(mediums_) + bytes_of(longs_) + arena_bytes_ +
           (front_ == nullptr ? 0 : kFrontBytes);
}

bool CountTable::make_room(std::size_t n, std::size_t n_bytes, std::size_t max_bytes) {
    const std::size_t short_places = shorts_.places_for(n + n_in_front_);
    const std::size_t medium_places = mediums_.places_for(std::min(n, n_bytes / (kMaxInlinePiece + 1)));
    const std::size_t long_places = longs_.places_for(std::min(n, n_bytes / (kMaxMedium + 1)));
    const bool more_arena = arena_left_ < n_bytes;
    const auto more_of = [](const auto& entries, std::size_t n_wanted) {
        return (n_wanted - entries.n_places) * (sizeof(Place) + sizeof(*entries.data()) / kPlacesEach);
    };
    const std::size_t more =
        more_of(shorts_, short_places) + more_of(mediums_, medium_places) + more_of(longs_, long_places);
    if (more == 0 && !more_arena) return true;
    const std::size_t block = std::max(std::clamp(arena_bytes_, kArenaBlock, kLargestArenaBlock), n_bytes);
    if (!empty() && this->n_bytes() + more + (more_arena ? block : 0) > max_bytes) return false;
    if (more_arena) {
        // What is left of the last block is lost: at most a batch of it.
        arena_.emplace_back(block);
        arena_at_ = static_cast<std::uint8_t*>(arena_.back().data());
        arena_left_ = arena_.back().n_bytes();
        arena_bytes_ += arena_left_;
    }
    shorts_.grow(short_places);
    mediums_.grow(medium_places);
    longs_.grow(long_places);
    if (front_ == nullptr && short_places >= kFrontFrom && this->n_bytes() + kFrontBytes <= max_bytes) {
        front_ = std::make_unique<FrontTable>();
    }
    return true;
}

void CountTable::add(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n,
                     std::uint64_t weight) noexcept {
    Batch batch;
    if (front_ != nullptr) {
        count_in_front(text, begin, ends, n, weight, batch);
    } else {
        make_keys(text, begin, ends, n, batch);
    }
    // Longer ones have no key.
    Short shorts[kBatch];
    std::uint32_t longer[kBatch];
    std::size_t n_short = 0, n_longer = 0;
    for (std::size_t i = 0; i < batch.n_missed; ++i) {
        const bool is_longer = batch.high[i] == kTooLong.high;
        longer[n_longer] = batch.missed[i];
        n_longer += is_longer;
        shorts[n_short] = {batch.low[i], batch.high[i], weight};
        batch.missed[n_short] = batch.missed[i];
        n_short += !is_longer;
    }
    if (front_ != nullptr) n_short = exchange_in_front(shorts, n_short, batch);
    add_to_shorts({shorts, n_short});
    if (n_longer != 0) add_longer(text, begin, ends, {longer, n_longer}, weight);
}

// All of them as missed.
void CountTable::make_keys(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n,
                           Batch& batch) noexcept {
    std::size_t start = begin, i = 0;
    const auto put = [&](PieceKey key) {
        batch.missed[i] = static_cast<std::uint32_t>(i);
        batch.low[i] = key.low;
        batch.high[i] = key.high;
        start = ends[i++];
    };
    // Spans that begin here or before can be read 16 bytes at a time.
    while (i < n && start + 16 <= text.size()) put(piece_key_from_16(text.data() + start, ends[i] - start));
    while (i < n) put(piece_key(text.data() + start, ends[i] - start));
    batch.n_missed = n;
}

// Adds to the counts of those that are in the front table, and says which are not.
void CountTable::count_in_front(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n,
                                std::uint64_t weight, Batch& batch) noexcept {
    batch.n_missed =
        kernels_.look_up(*front_, {text, begin, ends, n}, batch.found, {batch.missed, batch.low, batch.high});
    // To all, and what that is too much for some is taken away again: a jump for each costs more.
    for (std::size_t i = 0; i < n; ++i) count_of(batch.found[i]) += weight;
    for (std::size_t i = 0; i < batch.n_missed; ++i) count_of(batch.found[batch.missed[i]]) -= weight;
}

// Puts what was missed, `batch.missed` of which says where, into the front table, and what was there in its place into
// `shorts`; returns how many that are.
std::size_t CountTable::exchange_in_front(Short* shorts, std::size_t n, Batch& batch) noexcept {
    std::size_t n_out = 0, n_filled = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const FoundPiece* const place = batch.found[batch.missed[i]];
        const Short in = shorts[i], out{place->key.low, place->key.high, place->ids[0]};
        // It may have come in with this batch.
        const bool is_there = in.holds(out), is_filled = out.high != 0;
        key_of(place) = {in.low, in.high};
        count_of(place) = in.count + (is_there ? out.count : 0);
        shorts[n_out] = out;
        n_out += !is_there & is_filled;
        n_filled += !is_filled;
    }
    n_in_front_ += n_filled;
    return n_out;
}

// Ends the front table; there is room for all that it holds.
void CountTable::empty_front() noexcept {
    if (front_ == nullptr) return;
    Short shorts[kBatch];
    for (std::size_t first = 0; first < kFrontEntries; first += kBatch) {
        std::size_t n = 0;
        for (std::size_t i = first; i < first + kBatch; ++i) {
            const FoundPiece& entry = front_->entries()[i];
            shorts[n] = {entry.key.low, entry.key.high, entry.ids[0]};
            n += entry.key.high != 0;
        }
        add_to_shorts({shorts, n});
    }
    front_.reset();
    n_in_front_ = 0;
}

// Keys, and what to add to the count of each.
void CountTable::add_to_shorts(std::span<const Short> shorts) noexcept {
    Place* homes[kBatch];
    for (std::size_t i = 0; i < shorts.size(); ++i) {
        homes[i] = shorts_.home(shorts[i].hash());
        prefetch(homes[i]);
    }
    Short* const entries = shorts_.data();
    for (std::size_t i = 0; i < shorts.size(); ++i) prefetch(entries + *homes[i]);
    for (std::size_t i = 0; i < shorts.size(); ++i) {
        Short& entry = entries[*homes[i]];
        if (entry.holds(shorts[i])) [[likely]] {
            entry.count += shorts[i].count;
        } else {
            shorts_.find_or_add(homes[i], shorts[i]).count += shorts[i].count;
        }
    }
}

// Those of more than kMaxInlinePiece bytes, which `longer` says.
void CountTable::add_longer(Bytes text, std::size_t begin, const std::uint32_t* ends,
                            std::span<const std::uint32_t> longer, std::uint64_t weight) noexcept {
    Medium mediums[kBatch];
    Place* homes[kBatch];
    Long longs[kBatch];
    std::size_t n_medium = 0, n_long = 0;
    for (const std::uint32_t i : longer) {
        const std::size_t from = i == 0 ? begin : ends[i - 1];
        const std::size_t n_bytes = ends[i] - from;
        if (n_bytes <= kMaxMedium) [[likely]] {
            mediums[n_medium] = medium_key(text, from, n_bytes);
            homes[n_medium] = mediums_.home(mediums[n_medium].hash());
            prefetch(homes[n_medium++]);
        } else {
            longs[n_long] = {hash_bytes(text.data() + from, n_bytes), text.data() + from, n_bytes, 0};
            prefetch(longs_.home(longs[n_long++].prefix));
        }
    }
    for (std::size_t i = 0; i < n_medium; ++i) {
        const Medium* const entry = mediums_.data() + *homes[i];
        prefetch(entry);
        prefetch(&entry->count);
    }
    for (std::size_t i = 0; i < n_medium; ++i) mediums_.find_or_add(homes[i], mediums[i]).count += weight;
    for (std::size_t i = 0; i < n_long; ++i) prefetch(longs_.data() + *longs_.home(longs[i].prefix));
    for (std::size_t i = 0; i < n_long; ++i) prefetch(longs_.data()[*longs_.home(longs[i].prefix)].data);
    for (std::size_t i = 0; i < n_long; ++i) {
        Long& entry = longs_.find_or_add(longs_.home(longs[i].prefix), longs[i]);
        const bool is_new = entry.data == longs[i].data;  // else they are in the arena
        if (is_new) entry.data = keep({entry.data, static_cast<std::size_t>(entry.n_bytes)});
        entry.count += weight;
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
    empty_front();
    // In a form that orders as the bytes do.
    const std::span<Short> shorts = shorts_.held();
    const std::span<Medium> mediums = mediums_.held();
    const std::span<Long> longs = longs_.held();
    for (Short& x : shorts) x = {big_endian(x.low), big_endian(x.high), x.count};
    for (Medium& x : mediums) {
        for (std::uint64_t& word : x.words) word = big_endian(word);
    }
    for (Long& x : longs) x.prefix = prefix_of(x.data);
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

void CountTable::give_back_places() {
    shorts_.places = HugeBuffer();
    mediums_.places = HugeBuffer();
    longs_.places = HugeBuffer();
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
