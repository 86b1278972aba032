#include "merge/piece_table.hpp"

#include <algorithm>
#include <bit>

namespace fissile {

namespace {

// In an entry's last word while it is being written: no key has length 0.
constexpr std::uint64_t kBeingWritten = 1;
}  // namespace

PieceTable::PieceTable(std::size_t n_expected, std::size_t max_bytes) : max_bytes_(max_bytes) {
    // Two entries a bucket; at most a load of 0.4 to begin with.
    generations_.push_back(make_generation(std::bit_ceil(std::max<std::size_t>(n_expected * 5 / 4, 64))));
    n_bytes_.store(generations_.back()->memory.n_bytes(), std::memory_order_relaxed);
    newest_.store(generations_.back().get(), std::memory_order_release);
    current_.store(&generations_.back()->view, std::memory_order_release);
}

PieceTable::~PieceTable() = default;

std::unique_ptr<PieceTable::Generation> PieceTable::make_generation(std::size_t n_buckets) const {
    auto generation = std::make_unique<Generation>();
    generation->memory = HugeBuffer(n_buckets * 2 * sizeof(Entry));
    // Zero bytes are valid empty entries.
    generation->view.entries_ = static_cast<Entry*>(generation->memory.data());
    generation->view.n_buckets_ = n_buckets;
    generation->view.shift_ = static_cast<unsigned>(64 - std::countr_zero(n_buckets));
    return generation;
}

template <bool kAlone>
bool PieceTable::put(Generation& generation, PieceKey key, const std::uint64_t ids[2], std::uint64_t n_ids) {
    const View& view = generation.view;
    const std::size_t home = static_cast<std::size_t>(View::hash(key) >> view.shift_);
    for (std::size_t i = 0; i < kProbeBuckets; ++i) {
        Entry* const bucket = view.entries_ + (((home + i) & (view.n_buckets_ - 1)) << 1);
        for (Entry* entry = bucket; entry != bucket + 2; ++entry) {
            if (View::matches(*entry, key)) return true;
            std::uint64_t empty = 0;
            if (entry->high.load(std::memory_order_relaxed) != 0) continue;
            if (!kAlone && !entry->high.compare_exchange_strong(empty, kBeingWritten, std::memory_order_relaxed))
                continue;
            entry->low.store(key.low, std::memory_order_relaxed);
            entry->ids[0].store(ids[0], std::memory_order_relaxed);
            entry->ids[1].store(ids[1], std::memory_order_relaxed);
            entry->high.store(key.high | n_ids << 60, std::memory_order_release);
            if (kAlone) {
                generation.n_used.store(generation.n_used.load(std::memory_order_relaxed) + 1,
                                        std::memory_order_relaxed);
            } else {
                generation.n_used.fetch_add(1, std::memory_order_relaxed);
            }
            return true;
        }
    }
    return false;
}

void PieceTable::insert(PieceKey key, const TokenId* ids, std::size_t n_ids) {
    std::uint64_t pairs[2] = {};
    if (n_ids <= kMaxInlineIds) {
        std::memcpy(pairs, ids, n_ids * sizeof(TokenId));
    } else {
        auto copy = std::make_unique<TokenId[]>(n_ids);
        std::copy_n(ids, n_ids, copy.get());
        pairs[0] = reinterpret_cast<std::uintptr_t>(copy.get());
        pairs[1] = n_ids;
        n_ids = kIdsOutside;
        const std::unique_lock lock(growing_, std::try_to_lock);
        if (!lock || outside_.size() * 64 > max_bytes_) return;
        outside_.push_back(std::move(copy));
    }
    Generation& generation = *newest_.load(std::memory_order_acquire);
    const std::size_t n_entries = generation.view.n_buckets_ * 2;
    // Pieces come about in order of frequency, so those that a full table moves from their home are the rarest, and
    // memory touched for the first time costs more than a longer search for them: three quarters full is not too full.
    const bool full = generation.n_used.load(std::memory_order_relaxed) * 4 > n_entries * 3;
    if (!full && put<false>(generation, key, pairs, n_ids)) return;
    if (n_entries * 2 * sizeof(Entry) > max_bytes_) return;
    grow(generation.view.n_buckets_);
    put<false>(*newest_.load(std::memory_order_acquire), key, pairs, n_ids);
}

void PieceTable::insert_alone(PieceKey key, TokenId id) {
    Generation& generation = *generations_.back();
    const std::uint64_t ids[2] = {id, 0};
    // At most what the table was made for, so there is room.
    put<true>(generation, key, ids, 1);
}

// Another thread may insert into the old generation meanwhile; such an entry is lost and merged again when needed.
void PieceTable::grow(std::size_t n_buckets_seen) {
    const std::unique_lock lock(growing_, std::try_to_lock);
    if (!lock) return;
    Generation& old = *generations_.back();
    if (old.view.n_buckets_ != n_buckets_seen) return;  // somebody else did it
    auto bigger = make_generation(n_buckets_seen * 2);
    for (const Entry* e = old.view.entries_; e != old.view.entries_ + old.view.n_buckets_ * 2; ++e) {
        const std::uint64_t high = e->high.load(std::memory_order_acquire);
        if (high == 0 || high == kBeingWritten) continue;
        const std::uint64_t ids[2] = {e->ids[0].load(std::memory_order_relaxed),
                                      e->ids[1].load(std::memory_order_relaxed)};
        put<true>(*bigger, {e->low.load(std::memory_order_relaxed), high << 4 >> 4}, ids, high >> 60);
    }
    n_bytes_.fetch_add(bigger->memory.n_bytes(), std::memory_order_relaxed);
    generations_.push_back(std::move(bigger));
    newest_.store(generations_.back().get(), std::memory_order_release);
    current_.store(&generations_.back()->view, std::memory_order_release);
}

}  // namespace fissile
