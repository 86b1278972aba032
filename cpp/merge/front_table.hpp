// A thread's own small table in front of the PieceTable: the pieces it met most recently, so mostly frequent ones.
//
// The PieceTable of a large vocabulary lives in the outer caches, is shared, and looks in several places. Nine of ten
// pieces of real text are answered here, by one compare in one place of a table that fits the inner cache.
//
// An entry is the piece's key and up to four ids, their number in the four bits that ids leave free. Entries are also
// the form in which the span encoder keeps what it found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "base.hpp"
#include "cpu/huge_buffer.hpp"
#include "merge/piece_key.hpp"

namespace fissile {

inline constexpr std::size_t kMaxInlineIds = 4;

struct alignas(32) FoundPiece {
    PieceKey key;
    std::uint64_t ids[2];  // two each, and in the upper four bits of the first their number

    static constexpr std::uint64_t kIdBits = 0x0fffffff0fffffffu;
    static_assert(kMaxTokenId <= (kIdBits & 0xffffffffu));

    // Number of ids, 1 to 4; 0: they are elsewhere, and ids[1] says where.
    std::size_t count() const noexcept { return ids[0] >> 60; }
    // Writes four ids, of which the first count() are meant.
    void copy_ids(TokenId* out) const noexcept {
        const std::uint64_t first = ids[0] & kIdBits;
        std::memcpy(out, &first, sizeof first);
        std::memcpy(out + 2, &ids[1], sizeof ids[1]);
    }

    // Not for the front table: without the piece. n_ids is 1 to 4.
    static FoundPiece of_ids(const TokenId* ids, std::size_t n_ids) noexcept {
        TokenId four[4] = {};
        for (std::size_t i = 0; i < n_ids; ++i) four[i] = ids[i];
        std::uint64_t words[2];
        std::memcpy(words, four, sizeof four);
        return of_words({}, words, n_ids);
    }
    // Four ids of the piece table in two words, those beyond n_ids zero.
    static FoundPiece of_words(PieceKey key, const std::uint64_t words[2], std::size_t n_ids) noexcept {
        return {key, {words[0] | std::uint64_t{n_ids} << 60, words[1]}};
    }
    static FoundPiece elsewhere(std::size_t index) noexcept { return {{}, {0, index}}; }
};

class FrontTable {
   public:
    // 512 KB: a quarter of a core's inner cache on today's servers, half of it or all on others.
    static constexpr unsigned kBits = 14;

    FrontTable() : memory_(sizeof(FoundPiece) << kBits), entries_(static_cast<FoundPiece*>(memory_.data())) {}

    const FoundPiece& at(PieceKey key) const noexcept { return entries_[place(key)]; }
    static bool holds(const FoundPiece& entry, PieceKey key) noexcept {
        return ((entry.key.low ^ key.low) | (entry.key.high ^ key.high)) == 0;
    }
    void put(const FoundPiece& piece) noexcept { entries_[place(piece.key)] = piece; }

    // For the kernels, which find a piece's place by other instructions.
    const FoundPiece* entries() const noexcept { return entries_; }
    static constexpr std::uint32_t kLow = 0x9e3779b1u, kHigh = 0x85ebca77u;

   private:
    static std::size_t place(PieceKey key) noexcept {
        const std::uint64_t word = key.low ^ key.high >> 7;
        const auto low = static_cast<std::uint32_t>(word), high = static_cast<std::uint32_t>(word >> 32);
        return (low * kLow + high * kHigh) >> (32 - kBits);
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
