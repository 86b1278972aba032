#include "merge/long_pieces.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "cpu/hash.hpp"

namespace fissile {

struct LongPieces::Record {
    std::uint64_t hash;
    std::uint32_t n_ids, n_piece_bytes;

    const TokenId* ids() const { return reinterpret_cast<const TokenId*>(this + 1); }
    const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(ids() + n_ids); }
    bool holds(std::uint64_t h, Bytes piece) const {
        return hash == h && n_piece_bytes == piece.size() && std::memcmp(bytes(), piece.data(), piece.size()) == 0;
    }
};

LongPieces::LongPieces(std::size_t n_expected, std::size_t max_bytes) : max_bytes_(max_bytes) {
    const std::size_t n_slots = std::bit_ceil(std::max<std::size_t>(n_expected * 4, std::size_t{1} << 17));
    const std::size_t slot_bytes = n_slots * sizeof(std::atomic<const Record*>);
    memory_ = HugeBuffer((slot_bytes / kChunkBytes + 1) * kChunkBytes);
    slots_ = static_cast<std::atomic<const Record*>*>(memory_.data());  // zeros are empty slots
    mask_ = n_slots - 1;
    n_bytes_.store(slot_bytes, std::memory_order_relaxed);
    chunks_.push_back(std::make_unique<Chunk>(static_cast<std::uint8_t*>(memory_.data()) + slot_bytes,
                                              memory_.n_bytes() - slot_bytes));
    newest_.store(chunks_.back().get(), std::memory_order_relaxed);
}

// Null where another thread is about to make room.
void* LongPieces::allocate(std::size_t n_bytes) {
    for (;;) {
        Chunk* const chunk = newest_.load(std::memory_order_acquire);
        const std::size_t n_used = chunk->n_used.fetch_add(n_bytes, std::memory_order_relaxed);
        if (n_used + n_bytes <= chunk->n_bytes) return chunk->data + n_used;
        const std::unique_lock lock(adding_, std::try_to_lock);
        if (!lock) return nullptr;
        if (newest_.load(std::memory_order_relaxed) != chunk) continue;
        chunks_.push_back(std::make_unique<Chunk>(HugeBuffer(kChunkBytes)));
        newest_.store(chunks_.back().get(), std::memory_order_release);
    }
}

KnownIds LongPieces::find(Bytes piece, std::uint64_t hash) const noexcept {
    for (std::size_t slot = hash & mask_;; slot = (slot + 1) & mask_) {
        const Record* const record = slots_[slot].load(std::memory_order_acquire);
        if (record == nullptr) return {};
        if (record->holds(hash, piece)) return {record->ids(), record->n_ids};
    }
}

void LongPieces::insert(Bytes piece, const TokenId* ids, std::size_t n_ids) {
    const std::size_t n_bytes = sizeof(Record) + n_ids * sizeof(TokenId) + piece.size();
    // At most half full, so that find always meets an empty slot; the counters may run over by a few threads' worth.
    if (piece.size() > kMaxPiece || n_used_.load(std::memory_order_relaxed) * 2 > mask_ ||
        n_bytes_.load(std::memory_order_relaxed) + n_bytes > max_bytes_) {
        return;
    }
    const std::uint64_t hash = LongPieces::hash(piece);
    auto* const record =
        static_cast<Record*>(allocate((n_bytes + alignof(Record) - 1) / alignof(Record) * alignof(Record)));
    if (record == nullptr) return;
    *record = {hash, static_cast<std::uint32_t>(n_ids), static_cast<std::uint32_t>(piece.size())};
    if (n_ids != 0) std::memcpy(record + 1, ids, n_ids * sizeof(TokenId));
    std::memcpy(const_cast<std::uint8_t*>(record->bytes()), piece.data(), piece.size());
    for (std::size_t slot = hash & mask_;; slot = (slot + 1) & mask_) {
        const Record* seen = nullptr;
        if (slots_[slot].compare_exchange_strong(seen, record, std::memory_order_release, std::memory_order_acquire)) {
            n_used_.fetch_add(1, std::memory_order_relaxed);
            n_bytes_.fetch_add(n_bytes, std::memory_order_relaxed);
            return;
        }
        if (seen->holds(hash, piece)) return;  // another thread was first, and the record is lost
    }
}

}  // namespace fissile
