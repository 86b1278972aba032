// Pretoken -> occurrences, for one thread.
//
// A pretoken of at most 15 bytes is its 16-byte PieceKey, with the count in the same 24 bytes; open addressing, probed
// for a batch of pretokens at a time: first every key and slot, so that the cache lines are on their way, then the
// additions. Those of 16 to 31 bytes (one in a hundred in English, one in ten in Russian) are keys of 32 bytes in a
// second table. Longer ones stand in an arena and are found by hash in a third. All in the same two steps. No locks:
// every thread has its own, and what they hold is joined at the end. Cost: 3 to 5 ns a pretoken beside scanning
// (bench/count.py).
//
// The tables only grow. Their owner asks make_room before each batch, and empties the table (into a sorted run) when
// its byte budget says no.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
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

        bool is_empty() const noexcept { return high == 0; }
        std::uint64_t hash() const noexcept { return hash_words(low, high); }
        bool holds(const Short& other) const noexcept { return ((low ^ other.low) | (high ^ other.high)) == 0; }
    };
    // One of 16 to 31 bytes: the bytes, and the length in the last. sort() makes all words big-endian.
    static constexpr std::size_t kMaxMedium = 31;
    struct Medium {
        std::uint64_t words[4];
        std::uint64_t count;

        bool is_empty() const noexcept { return words[3] == 0; }
        std::uint64_t hash() const noexcept { return hash_words(hash_words(words[0], words[1]) ^ words[2], words[3]); }
        bool holds(const Medium& other) const noexcept {
            return ((words[0] ^ other.words[0]) | (words[1] ^ other.words[1]) | (words[2] ^ other.words[2]) |
                    (words[3] ^ other.words[3])) == 0;
        }
    };
    // A longer one. sort() puts the first eight bytes, big-endian, in place of the hash.
    struct Long {
        std::uint64_t prefix;  // never 0; 0 marks an empty slot
        const std::uint8_t* data;
        std::uint64_t n_bytes;
        std::uint64_t count;

        bool is_empty() const noexcept { return prefix == 0; }
        std::uint64_t hash() const noexcept { return prefix; }
        bool holds(const Long& other) const noexcept {
            return prefix == other.prefix && n_bytes == other.n_bytes && std::memcmp(data, other.data, n_bytes) == 0;
        }
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
        std::span<const Medium> mediums;
        std::span<const Long> longs;

        std::size_t size() const { return shorts.size() + mediums.size() + longs.size(); }
    };
    Sorted sort(Interrupt& interrupt);
    // After sort(), where nothing more is counted: gives the system the slots that the lists do not take, half of them
    // and more.
    void give_back_slots();
    void clear();

    bool empty() const { return shorts_.n_used + mediums_.n_used + longs_.n_used == 0; }
    std::size_t n_bytes() const;

   private:
    // Open addressing; zeros are empty slots.
    template <class Slot>
    struct Slots {
        HugeBuffer memory;
        std::size_t n_slots = 0, n_used = 0;
        unsigned shift = 64;

        Slot* data() const { return static_cast<Slot*>(memory.data()); }
        Slot* home(std::uint64_t hash) const { return data() + (hash >> shift); }
        // The slot that holds what `wanted` does, from its home on, or the empty one where it would be.
        Slot* find(Slot* slot, const Slot& wanted) const noexcept;
        std::size_t slots_for(std::size_t n_more) const;
        void grow(std::size_t n_wanted);
        void clear() noexcept;
    };

    template <bool kSetApart>
    std::size_t add_shorts(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n,
                           std::uint64_t weight, std::uint16_t* longer) noexcept;
    void add_longer(Bytes text, std::size_t begin, const std::uint32_t* ends, const std::uint16_t* longer,
                    std::size_t n, std::uint64_t weight) noexcept;
    const std::uint8_t* keep(Bytes pretoken) noexcept;

    Slots<Short> shorts_;
    Slots<Medium> mediums_;
    Slots<Long> longs_;
    bool often_longer_ = false;  // in the last batch

    std::vector<HugeBuffer> arena_;
    std::uint8_t* arena_at_ = nullptr;
    std::size_t arena_left_ = 0, arena_bytes_ = 0;
};

}  // namespace fissile
