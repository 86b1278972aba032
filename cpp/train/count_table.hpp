// Pretoken -> occurrences, for one thread.
//
// A pretoken of at most 15 bytes is its 16-byte PieceKey, with the count in the same 24 bytes; open addressing, probed
// for a batch of pretokens at a time: first every key and slot, so that the cache lines are on their way, then the
// additions. Longer ones (under one in a hundred in English, one in three in Chinese) stand in an arena and are found
// by hash in a second table, in the same two steps. No locks: every thread has its own, and what they hold is joined at
// the end. Cost: 3 to 5 ns a pretoken beside scanning (bench/count.py).
//
// The tables only grow. Their owner asks make_room before each batch, and empties the table (into a sorted run) when
// its byte budget says no.
#pragma once

#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/huge_buffer.hpp"
#include "cpu/interrupt.hpp"
#include "merge/piece_table.hpp"

namespace fissile {

class CountTable {
   public:
    // Most pretokens of one batch.
    static constexpr std::size_t kBatch = 512;

    // A pretoken of at most 15 bytes. sort() makes both words big-endian, so that they order as the bytes do: 0 to 7,
    // then 8 to 14 and the length.
    struct Short {
        std::uint64_t low, high;
        std::uint64_t count;
    };
    // A longer one. sort() puts the first eight bytes, big-endian, in place of the hash.
    struct Long {
        std::uint64_t hash;  // never 0; 0 marks an empty slot
        const std::uint8_t* data;
        std::uint64_t n_bytes;
        std::uint64_t count;
    };

    CountTable();

    // Room for a batch of n pretokens, n_bytes long together; false if that would take the table beyond
    // `max_bytes` in all, unless it is empty.
    bool make_room(std::size_t n, std::size_t n_bytes, std::size_t max_bytes);

    // Adds `weight` to each of the n <= kBatch pretokens that begin at `begin` and end at `ends`.
    // make_room was asked before.
    void add(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n, std::uint64_t weight) noexcept;

    // All that is held, each list ascending. The table must be cleared before it takes more.
    struct Sorted {
        std::span<const Short> shorts;
        std::span<const Long> longs;
    };
    Sorted sort(Interrupt& interrupt);
    // After sort(), where nothing more is counted: gives the system the slots that the lists do not take, half of them
    // and more.
    void give_back_slots();
    void clear();

    bool empty() const { return n_shorts_ + n_longs_ == 0; }
    std::size_t n_bytes() const;

   private:
    Short* shorts() const { return static_cast<Short*>(short_memory_.data()); }
    Long* longs() const { return static_cast<Long*>(long_memory_.data()); }
    void grow_shorts(std::size_t n_slots);
    void grow_longs(std::size_t n_slots);
    void add_long(std::uint64_t hash, Bytes pretoken, std::uint64_t weight) noexcept;
    const std::uint8_t* keep(Bytes pretoken) noexcept;

    HugeBuffer short_memory_, long_memory_;  // zeros are empty slots
    std::size_t n_short_slots_ = 0, n_long_slots_ = 0;
    unsigned short_shift_ = 64, long_shift_ = 64;
    std::size_t n_shorts_ = 0, n_longs_ = 0;

    std::vector<HugeBuffer> arena_;
    std::uint8_t* arena_at_ = nullptr;
    std::size_t arena_left_ = 0, arena_bytes_ = 0;
};

}  // namespace fissile
