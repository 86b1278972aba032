// Pretoken -> occurrences, for one thread.
//
// A pretoken of at most 15 bytes is its 16-byte PieceKey with a count, in a list in the order in which they came, which
// numbers in a table of places lead to; probed for a batch of pretokens at a time: first every key and place, so that
// the cache lines are on their way, then the entries, then the additions. Those of 16 to 31 bytes (one in a hundred in
// English, one in ten in Russian) are keys of 32 bytes in a second list. Longer ones stand in an arena, in a third.
//
// What came lately, nine of ten in most texts, is counted in a FrontTable before that: what it lacks takes the place of
// what was there, whose count goes to the list. No locks: every thread has its own, and what they hold is joined at the
// end. Cost: 3 to 5 ns a pretoken beside scanning (bench/count.py).
//
// The tables only grow. Their owner asks make_room before each batch, and empties the table (into a sorted run) when
// its byte budget says no.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base.hpp"
#include "cpu/huge_buffer.hpp"
#include "cpu/interrupt.hpp"
#include "merge/front_kernels.hpp"

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

        std::uint64_t hash() const noexcept { return hash_words(low, high); }
        bool holds(const Short& other) const noexcept { return ((low ^ other.low) | (high ^ other.high)) == 0; }
    };
    // One of 16 to 31 bytes: the bytes, and the length in the last. sort() makes all words big-endian.
    static constexpr std::size_t kMaxMedium = 31;
    struct Medium {
        std::uint64_t words[4];
        std::uint64_t count;

        std::uint64_t hash() const noexcept { return hash_words(hash_words(words[0], words[1]) ^ words[2], words[3]); }
        bool holds(const Medium& other) const noexcept {
            return ((words[0] ^ other.words[0]) | (words[1] ^ other.words[1]) | (words[2] ^ other.words[2]) |
                    (words[3] ^ other.words[3])) == 0;
        }
    };
    // A longer one. sort() puts the first eight bytes, big-endian, in place of the hash.
    struct Long {
        std::uint64_t prefix;
        const std::uint8_t* data;
        std::uint64_t n_bytes;
        std::uint64_t count;

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
    // After sort(), where nothing more is counted: gives the system what the lists do not take.
    void give_back_places();
    void clear();

    bool empty() const { return shorts_.n_used + n_in_front_ + mediums_.n_used + longs_.n_used == 0; }
    std::size_t n_bytes() const;

   private:
    using Place = std::uint32_t;

    // What is held, one behind the other as it came, and where each is: places found by hash, with open addressing. So
    // what comes often, and mostly came early, is close together and where its hash says, and growing touches no more
    // new memory than what is held and four bytes a place.
    template <class Entry>
    struct Entries {
        HugeBuffer memory;  // of entries; the first is nobody's
        HugeBuffer places;  // numbers of entries; 0: none
        std::size_t n_places = 0, n_used = 0;
        unsigned shift = 64;

        Entry* data() const { return static_cast<Entry*>(memory.data()); }
        Place* all_places() const { return static_cast<Place*>(places.data()); }
        std::span<Entry> held() const { return {data() + 1, n_used}; }
        Place* home(std::uint64_t hash) const { return all_places() + (hash >> shift); }
        Place* after(Place* place) const { return place + 1 == all_places() + n_places ? all_places() : place + 1; }
        // The entry that holds what `wanted` does, whose number is in `home` or behind it; a new one, with no count
        // yet, if there is none.
        Entry& find_or_add(Place* home, const Entry& wanted) noexcept;
        std::size_t places_for(std::size_t n_more) const;
        void grow(std::size_t n_wanted);
        void clear() noexcept;
    };

    // Of a batch of pretokens the entries of the front table, and those that have none there: which they are, and their
    // keys.
    struct Batch {
        const FoundPiece* found[kBatch];
        std::size_t n_missed;
        std::uint32_t missed[kBatch + FrontKernels::kSpare];
        std::uint64_t low[kBatch + FrontKernels::kSpare], high[kBatch + FrontKernels::kSpare];
    };
    static void make_keys(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n,
                          Batch& batch) noexcept;
    void count_in_front(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n, std::uint64_t weight,
                        Batch& batch) noexcept;
    std::size_t exchange_in_front(Short* shorts, std::size_t n, Batch& batch) noexcept;
    void empty_front() noexcept;
    void add_to_shorts(std::span<const Short> shorts) noexcept;
    void add_longer(Bytes text, std::size_t begin, const std::uint32_t* ends, std::span<const std::uint32_t> longer,
                    std::uint64_t weight) noexcept;
    const std::uint8_t* keep(Bytes pretoken) noexcept;

    Entries<Short> shorts_;
    Entries<Medium> mediums_;
    Entries<Long> longs_;
    const FrontKernels& kernels_;
    std::unique_ptr<FrontTable> front_;  // null while shorts_ is small
    std::size_t n_in_front_ = 0;

    std::vector<HugeBuffer> arena_;
    std::uint8_t* arena_at_ = nullptr;
    std::size_t arena_left_ = 0, arena_bytes_ = 0;
};

}  // namespace fissile
