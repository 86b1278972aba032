#include "merge/long_pieces.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

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
    memory_ = HugeBuffer(n_slots * sizeof(std::atomic<const Record*>));
    slots_ = static_cast<std::atomic<const Record*>*>(memory_.data());  // zeros are empty slots
    mask_ = n_slots - 1;
    n_bytes_.store(n_slots * sizeof(void*), std::memory_order_relaxed);
}

LongPieces::~LongPieces() {
    for (std::size_t i = 0; i <= mask_; ++i) ::operator delete(const_cast<Record*>(slots_[i].load()));
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
    auto* record = static_cast<Record*>(::operator new(n_bytes));
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
        if (seen->holds(hash, piece)) break;  // another thread was first
    }
    ::operator delete(record);
}

}  // namespace fissile
