// A thread's own small table in front of the PieceTable: the pieces it met most recently, so mostly frequent ones.
//
// The PieceTable of a large vocabulary lives in the outer caches, is shared, and looks in several places. Nine of ten
// pieces of real text are answered here, by one compare in one place of a table that fits the inner cache.
//
// A piece of at most 15 bytes is told by its first eight bytes, its last eight and its length, which takes two loads
// and two shifts wherever the piece lies. An entry is those and up to four ids; the length and the number of ids are in
// the four bits that ids leave free. Entries are also the form in which the span encoder keeps what it found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "cpu/huge_buffer.hpp"
#include "merge/piece_table.hpp"

namespace fissile {

// Which piece it is, given its length: its first eight bytes above zeros, and its last eight below zeros. Of a piece of
// more than kMaxInlinePiece bytes it says nothing.
struct PieceEnds {
    std::uint64_t first, last;
};

// Reads nothing but the piece, of 1 to 15 bytes.
inline PieceEnds piece_ends_at_edge(const std::uint8_t* begin, std::size_t n_bytes) noexcept {
    const std::size_t n = n_bytes < 8 ? n_bytes : 8;
    return {load_word(begin, n) << (64 - 8 * n), load_word(begin + n_bytes - n, n)};
}

// Eight bytes from `begin` on and eight before `begin + n_bytes` can be read. n_bytes is not 0.
inline PieceEnds piece_ends(const std::uint8_t* begin, std::size_t n_bytes) noexcept {
    PieceEnds ends;
    std::memcpy(&ends.first, begin, 8);
    std::memcpy(&ends.last, begin + n_bytes - 8, 8);
    // 8 less the length, or 0: by a mask, as compilers make a jump of a condition here, and lengths do not repeat.
    const auto less = static_cast<std::int32_t>(8 - static_cast<std::uint32_t>(n_bytes));
    const unsigned shift = static_cast<unsigned>(less & ~(less >> 31)) * 8;
    ends.first <<= shift;
    ends.last >>= shift;
    return ends;
}

// The same, from the key of a piece of 1 to 15 bytes.
inline PieceEnds piece_ends(PieceKey key) noexcept {
    const auto n = static_cast<unsigned>(key.high >> 56);
    if (n <= 8) return {key.low << (64 - 8 * n), key.low};
    const unsigned beyond = 8 * (n - 8);
    return {key.low, key.low >> beyond | key.high << (64 - beyond)};
}

struct alignas(32) FoundPiece {
    PieceEnds ends;
    std::uint64_t low, high;  // two ids each, and in bits 28 to 31 of `low` the length, in its upper four the count

    static constexpr std::uint64_t kIdBits = 0x0fffffff0fffffffu;
    static_assert(kMaxTokenId <= (kIdBits & 0xffffffffu));

    // Number of ids, 1 to 4; 0: they are elsewhere, and `high` says where.
    std::size_t count() const noexcept { return low >> 60; }
    std::size_t length() const noexcept { return low >> 28 & 15; }
    // Writes four ids, of which the first count() are meant.
    void copy_ids(TokenId* out) const noexcept {
        const std::uint64_t first = low & kIdBits;
        std::memcpy(out, &first, sizeof first);
        std::memcpy(out + 2, &high, sizeof high);
    }

    // Not for the front table: without the piece. n_ids is 1 to 4.
    static FoundPiece of_ids(const TokenId* ids, std::size_t n_ids) noexcept {
        TokenId four[4] = {};
        for (std::size_t i = 0; i < n_ids; ++i) four[i] = ids[i];
        FoundPiece piece{};
        std::memcpy(&piece.low, four, sizeof four);
        piece.low |= std::uint64_t{n_ids} << 60;
        return piece;
    }
    // Four ids of the piece table in two words, those beyond n_ids zero.
    static FoundPiece of_words(PieceEnds ends, std::size_t n_bytes, const std::uint64_t ids[2],
                               std::size_t n_ids) noexcept {
        return {ends, ids[0] | std::uint64_t{n_ids} << 60 | std::uint64_t{n_bytes} << 28, ids[1]};
    }
    static FoundPiece elsewhere(std::size_t index) noexcept { return {{}, 0, index}; }
};

class FrontTable {
   public:
    // Half of a core's inner cache on today's machines, a quarter on some.
    static constexpr unsigned kBits = 13;

    FrontTable() : memory_(sizeof(FoundPiece) << kBits), entries_(static_cast<FoundPiece*>(memory_.data())) {}

    const FoundPiece& at(PieceEnds ends) const noexcept { return entries_[place(ends)]; }
    static bool holds(const FoundPiece& entry, PieceEnds ends, std::size_t n_bytes) noexcept {
        return ((entry.ends.first ^ ends.first) | (entry.ends.last ^ ends.last) | (entry.length() ^ n_bytes)) == 0;
    }
    void put(const FoundPiece& piece) noexcept { entries_[place(piece.ends)] = piece; }

   private:
    static std::size_t place(PieceEnds ends) noexcept {
        return ((ends.first ^ ends.last >> 7) * kHashSeed1) >> (64 - kBits);
    }
    HugeBuffer memory_;  // zeros: entries of length 0, which no piece has
    FoundPiece* entries_;
};

// The front tables of one encoder that no thread is using.
class FrontTables {
   public:
    FrontTables() { free_.reserve(kKept); }

    std::unique_ptr<FrontTable> take() {
        const std::unique_lock lock(lock_, std::try_to_lock);
        if (!lock || free_.empty()) return std::make_unique<FrontTable>();
        std::unique_ptr<FrontTable> table = std::move(free_.back());
        free_.pop_back();
        return table;
    }
    void give_back(std::unique_ptr<FrontTable> table) noexcept {
        const std::unique_lock lock(lock_, std::try_to_lock);
        if (lock && free_.size() < kKept) free_.push_back(std::move(table));
    }

   private:
    static constexpr std::size_t kKept = 64;
    std::mutex lock_;  // never waited for: in a forked process the thread that holds it may not exist
    std::vector<std::unique_ptr<FrontTable>> free_;
};

// The front table that a workspace holds, of the encoder that used the workspace last.
class FrontLease {
   public:
    FrontLease() = default;
    ~FrontLease() { release(); }
    FrontLease(const FrontLease&) = delete;
    FrontLease& operator=(const FrontLease&) = delete;

    FrontTable& of(const std::shared_ptr<FrontTables>& tables) {
        if (tables_ != tables) [[unlikely]] {
            release();
            table_ = tables->take();
            tables_ = tables;
        }
        return *table_;
    }

   private:
    void release() noexcept {
        if (tables_) tables_->give_back(std::move(table_));
        tables_.reset();
    }
    std::shared_ptr<FrontTables> tables_;  // alive as long as this, so no other can have its address
    std::unique_ptr<FrontTable> table_;
};

}  // namespace fissile
