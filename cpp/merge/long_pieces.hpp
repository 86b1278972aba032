// Pieces that are too long for the PieceTable, more than 15 bytes, and their ids.
//
// Open addressing over pointers to records that never change once published, so that reading takes no lock. The table
// does not grow: its size follows from the vocabulary, and beyond a byte budget it declines. Such pieces are rare in
// text (under one in a hundred), but merging one costs a hundred times a lookup. Records lie one behind the other, the
// first of them beside the table on its huge page: each page of its own that a first text touches costs as much as
// several pieces.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "cpu/huge_buffer.hpp"
#include "cpu/prefetch.hpp"
#include "merge/piece_table.hpp"

namespace fissile {

class LongPieces {
   public:
    LongPieces(std::size_t n_expected, std::size_t max_bytes);
    LongPieces(const LongPieces&) = delete;
    LongPieces& operator=(const LongPieces&) = delete;

    // Longer pieces are not kept.
    static constexpr std::size_t kMaxPiece = 1023;

    // The ids of a piece, if it is there; they stay valid as long as the LongPieces.
    KnownIds find(Bytes piece) const noexcept { return find(piece, hash(piece)); }
    // The same in steps, for a caller that looks up several: near_* have what the next step
    // reads brought near.
    static std::uint64_t hash(Bytes piece) noexcept { return hash_bytes(piece.data(), piece.size()); }
    FISSILE_PREFETCHES void near_slot(std::uint64_t hash) const noexcept { prefetch(&slots_[hash & mask_]); }
    FISSILE_PREFETCHES void near_record(std::uint64_t hash) const noexcept {
        prefetch(slots_[hash & mask_].load(std::memory_order_relaxed));
    }
    KnownIds find(Bytes piece, std::uint64_t hash) const noexcept;
    void insert(Bytes piece, const TokenId* ids, std::size_t n_ids);

    std::size_t n_bytes() const { return n_bytes_.load(std::memory_order_relaxed); }

   private:
    struct Record;  // hash, sizes; ids and bytes follow
    // Memory for records, handed out from its beginning on.
    struct Chunk {
        Chunk(std::uint8_t* first, std::size_t n) : data(first), n_bytes(n) {}
        explicit Chunk(HugeBuffer own)
            : memory(std::move(own)), data(static_cast<std::uint8_t*>(memory.data())), n_bytes(memory.n_bytes()) {}
        HugeBuffer memory;  // of all but the first, which lies behind the slots
        std::uint8_t* data;
        std::size_t n_bytes;
        std::atomic<std::size_t> n_used{0};
    };
    static constexpr std::size_t kChunkBytes = std::size_t{2} << 20;
    void* allocate(std::size_t n_bytes);

    HugeBuffer memory_;
    std::atomic<const Record*>* slots_;
    std::atomic<Chunk*> newest_;
    // Never waited for: in a forked process the thread that holds it may not exist.
    std::mutex adding_;
    std::vector<std::unique_ptr<Chunk>> chunks_;
    std::size_t mask_;
    std::size_t max_bytes_;
    // What writers count, in a cache line that readers do not look at.
    alignas(64) std::atomic<std::size_t> n_used_{0};
    std::atomic<std::size_t> n_bytes_;
};

}  // namespace fissile
