// Pieces that do not fit an entry of the PieceTable (more than 15 bytes, or more than four ids) and their ids.
//
// Open addressing over pointers to records that never change once published, so that reading takes no lock. The table
// does not grow: its size follows from the vocabulary, and beyond a byte budget it declines. Such pieces are rare in
// text (under one in a hundred), but merging one costs a hundred times a lookup.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base.hpp"

namespace fissile {

class LongPieces {
   public:
    LongPieces(std::size_t n_expected, std::size_t max_bytes);
    ~LongPieces();
    LongPieces(const LongPieces&) = delete;
    LongPieces& operator=(const LongPieces&) = delete;

    // Longer pieces are not kept.
    static constexpr std::size_t kMaxPiece = 255;

    // The ids of a piece, if it is there. Views stay valid as long as the LongPieces.
    struct Found {
        const TokenId* ids = nullptr;
        std::size_t n_ids = 0;
        explicit operator bool() const { return ids != nullptr; }
    };
    Found find(Bytes piece) const noexcept;
    void insert(Bytes piece, const TokenId* ids, std::size_t n_ids);

    std::size_t n_bytes() const { return n_bytes_.load(std::memory_order_relaxed); }

   private:
    struct Record;  // hash, sizes; ids and bytes follow
    std::unique_ptr<std::atomic<const Record*>[]> slots_;
    std::size_t mask_;
    std::size_t max_bytes_;
    std::atomic<std::size_t> n_used_{0};
    std::atomic<std::size_t> n_bytes_;
};

}  // namespace fissile
