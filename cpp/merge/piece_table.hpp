// Pieces already merged: bytes -> ids, shared by all threads without locks.
//
// A piece of at most 15 bytes is a 16-byte key, its length in the last byte; with up to four ids an entry is 32 bytes
// and two make a bucket of one cache line. More ids stand outside, and the entry holds their address. Entries are
// written once and never change or move while a reader can see them: a writer claims an empty entry by
// compare-and-swap, fills it, and publishes it by its last word. When the table grows, a copy is published and the old
// one kept until the table dies (at most as much memory again). At its byte budget it stops taking entries; what is in
// it stays useful.
//
// Reading is in two steps, so that a caller can compute many keys and prefetch before it looks at the first entry.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "cpu/huge_buffer.hpp"
#include "merge/front_table.hpp"
#include "merge/piece_key.hpp"

namespace fissile {

// Ids that a table holds, if it does.
struct KnownIds {
    const TokenId* ids = nullptr;
    std::size_t n_ids = 0;
};

class PieceTable {
   public:
    struct alignas(32) Entry {
        std::atomic<std::uint64_t> high;  // key.high, with the number of ids in the upper half of its last byte
        std::atomic<std::uint64_t> low;
        std::atomic<std::uint64_t> ids[2];  // two ids each; or the address of the ids, and their number
    };

    // One generation of the table. Pointers into it stay valid as long as the PieceTable.
    class View {
       public:
        // Hash of a key; its upper bits choose the bucket.
        static std::uint64_t hash(PieceKey key) noexcept { return hash_words(key.low, key.high); }
        const Entry* bucket(std::uint64_t hash) const noexcept { return entries_ + ((hash >> shift_) << 1); }
        // The entry of a key among the two of its home bucket, or null.
        static const Entry* find_in_bucket(const Entry* bucket, PieceKey key) noexcept {
            const Entry* const first = matches(bucket[0], key) ? bucket : nullptr;
            return matches(bucket[1], key) ? bucket + 1 : first;
        }
        // The entry of a key in the buckets after its home, or null.
        const Entry* find_beyond(const Entry* home, PieceKey key) const noexcept {
            if (home[1].high.load(std::memory_order_relaxed) == 0) return nullptr;  // nothing ever overflowed
            auto at = static_cast<std::size_t>(home - entries_) >> 1;
            for (std::size_t i = 1; i < kProbeBuckets; ++i) {
                at = (at + 1) & (n_buckets_ - 1);
                const Entry* const bucket = entries_ + (at << 1);
                if (const Entry* entry = find_in_bucket(bucket, key)) return entry;
                if (bucket[1].high.load(std::memory_order_relaxed) == 0) return nullptr;
            }
            return nullptr;
        }
        // The entry of a key anywhere, or null.
        const Entry* find(PieceKey key) const noexcept {
            const Entry* const home = bucket(hash(key));
            const Entry* const entry = find_in_bucket(home, key);
            return entry != nullptr ? entry : find_beyond(home, key);
        }

       private:
        friend class PieceTable;
        static bool matches(const Entry& entry, PieceKey key) noexcept {
            // Shifting the number of ids out leaves the key's 60 bits; an entry being written holds no length.
            const std::uint64_t high = entry.high.load(std::memory_order_acquire);
            const std::uint64_t low = entry.low.load(std::memory_order_relaxed);
            return (((high ^ key.high) << 4) | (low ^ key.low)) == 0;
        }
        Entry* entries_ = nullptr;
        std::size_t n_buckets_ = 0;
        unsigned shift_ = 0;
    };

    PieceTable(std::size_t n_expected, std::size_t max_bytes);
    ~PieceTable();
    PieceTable(const PieceTable&) = delete;
    PieceTable& operator=(const PieceTable&) = delete;

    View view() const noexcept { return *current_.load(std::memory_order_acquire); }

    static unsigned n_ids(const Entry& entry) noexcept {
        return static_cast<unsigned>(entry.high.load(std::memory_order_relaxed) >> 60);
    }
    // Four ids in two words, if n_ids(entry) is at most four; those beyond are zero.
    static void copy_ids(const Entry& entry, std::uint64_t words[2]) noexcept {
        words[0] = entry.ids[0].load(std::memory_order_relaxed);
        words[1] = entry.ids[1].load(std::memory_order_relaxed);
    }

    static bool ids_are_outside(const Entry& entry) noexcept { return n_ids(entry) == kIdsOutside; }

    // All ids of an entry: copied to `four`, or where they stand outside.
    static KnownIds ids_of(const Entry& entry, TokenId four[kMaxInlineIds]) noexcept {
        const unsigned n = n_ids(entry);
        if (n == kIdsOutside) {
            return {reinterpret_cast<const TokenId*>(entry.ids[0].load(std::memory_order_relaxed)),
                    entry.ids[1].load(std::memory_order_relaxed)};
        }
        std::uint64_t words[2];
        copy_ids(entry, words);
        std::memcpy(four, words, sizeof words);
        return {four, n};
    }

    // Remembers a piece of 1 to 15 bytes and its ids, at least one; may decline.
    void insert(PieceKey key, const TokenId* ids, std::size_t n_ids);
    // The same of one id, while no other thread has the table: without waiting for the caches of others to agree.
    void insert_alone(PieceKey key, TokenId id);

    std::size_t n_bytes() const { return n_bytes_.load(std::memory_order_relaxed); }

   private:
    // Buckets a key may lie in, from its home on. A search ends at the first that is not full, so only keys of a full
    // stretch go far; with eight, some stretch of a table half full has no place left.
    static constexpr std::size_t kProbeBuckets = 32;
    // Number of ids of an entry whose ids stand outside it.
    static constexpr unsigned kIdsOutside = 15;

    // What writers count stands in a cache line of its own, and so does what they lock: every reader looks at what is
    // beside it for each piece.
    static constexpr std::size_t kLine = 64;
    struct Generation {
        HugeBuffer memory;
        View view;
        alignas(kLine) std::atomic<std::size_t> n_used{0};
    };

    std::unique_ptr<Generation> make_generation(std::size_t n_buckets) const;
    template <bool kAlone>
    static bool put(Generation& generation, PieceKey key, const std::uint64_t ids[2], std::uint64_t n_ids);
    void grow(std::size_t n_buckets_seen);

    std::atomic<const View*> current_;
    std::atomic<Generation*> newest_;
    std::size_t max_bytes_;
    // Never waited for: what it guards is only kept to save work, and in a forked process the thread that holds it may
    // not exist.
    alignas(kLine) std::mutex growing_;
    std::vector<std::unique_ptr<Generation>> generations_;
    std::vector<std::unique_ptr<TokenId[]>> outside_;  // under the same lock as generations_
    std::atomic<std::size_t> n_bytes_{0};              // of all generations
};

}  // namespace fissile
