// (left id, right id) -> rank of the merge that joins them.
//
// Merging asks a few times for every byte of a piece, mostly for pairs that are not there, and whether one is cannot be
// foreseen. So looking up takes the same steps whatever the answer, without a jump: a pair lies in one of two buckets
// of four entries, half a cache line each (cuckoo hashing: Pagh and Rodler 2001; with buckets: Dietzfelbinger and
// Weidling 2007), ids and rank packed in one word, and the rank is the smallest of the eight words once the ids looked
// for are taken out of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "cpu/huge_buffer.hpp"
#include "cpu/prefetch.hpp"

namespace fissile {

inline constexpr std::uint32_t kNoRank = 0xffffffffu;

class PairRanks {
   public:
    PairRanks() : PairRanks(1, 1) {}

    // For ids below n_vocab and at most n_merges merges, with ranks below `max_rank`, or else below n_merges.
    PairRanks(std::size_t n_vocab, std::size_t n_merges, std::size_t max_rank = 0)
        : id_bits_(static_cast<unsigned>(std::bit_width(n_vocab))), rank_bits_(64 - 2 * id_bits_) {
        const std::size_t most = std::max(n_merges, max_rank);
        if (id_bits_ > 24 || (most >> rank_bits_) != 0 || most > kMaxRank) {
            throw Error("a vocabulary of " + std::to_string(n_vocab) + " tokens and " + std::to_string(n_merges) +
                        " merges is larger than supported");
        }
        // At most eight tenths full: then a place is found at once or after a few moves.
        allocate(std::bit_ceil((n_merges + n_merges / 4) / kBucket + 2));
    }

    // Ranks are smaller; their upper four bits are free.
    static constexpr std::uint32_t kMaxRank = (1u << 28) - 1;

    // Rank of the merge of two ids, or kNoRank. One of them may be kNoToken, which is in no merge.
    std::uint32_t find(TokenId left, TokenId right) const noexcept {
        const std::uint64_t key = key_of(left, right);
        const std::uint64_t hash = hash_of(key);
        const std::uint64_t* const a = first_bucket(hash);
        const std::uint64_t* const b = second_bucket(hash);
        const std::uint64_t in_a = std::min(std::min(a[0] ^ key, a[1] ^ key), std::min(a[2] ^ key, a[3] ^ key));
        const std::uint64_t in_b = std::min(std::min(b[0] ^ key, b[1] ^ key), std::min(b[2] ^ key, b[3] ^ key));
        const std::uint64_t rank = std::min(in_a, in_b);
        return rank >> rank_bits_ == 0 ? static_cast<std::uint32_t>(rank) : kNoRank;
    }
    // Has what `find` will read brought near.
    FISSILE_PREFETCHES void ask(TokenId left, TokenId right) const noexcept {
        const std::uint64_t hash = hash_of(key_of(left, right));
        prefetch(first_bucket(hash));
        prefetch(second_bucket(hash));
    }

    // A pair given twice keeps the later rank, as `tokenizers` does. At most the n_merges of the constructor.
    void insert(TokenId left, TokenId right, std::uint32_t rank) {
        const std::uint64_t key = key_of(left, right), hash = hash_of(key);
        for (std::uint64_t* const bucket : {first_bucket(hash), second_bucket(hash)}) {
            for (std::size_t i = 0; i < kBucket; ++i) {
                std::uint64_t& word = bucket[i];
                if ((word ^ key) >> rank_bits_ == 0) {
                    word = key | rank;
                    return;
                }
            }
        }
        if (!place(key | rank)) grow();
    }
    // The same of a pair that is known not to be there.
    void insert_new(TokenId left, TokenId right, std::uint32_t rank) {
        if (!place(key_of(left, right) | rank)) grow();
    }

    // For the merge kernels, which do what `find` does by other instructions: the ids above zeros in the place of the
    // rank, and the two buckets of four words where a pair may lie.
    std::uint64_t key_of(TokenId left, TokenId right) const noexcept {
        return (std::uint64_t{left} << id_bits_ | (right & ((1u << id_bits_) - 1))) << rank_bits_;
    }
    static std::uint64_t hash_of(std::uint64_t key) noexcept { return fold_multiply(key, kHashSeed1); }
    std::uint64_t* first_bucket(std::uint64_t hash) const noexcept { return words_ + (hash & mask_) * kBucket; }
    std::uint64_t* second_bucket(std::uint64_t hash) const noexcept { return words_ + (hash >> 32 & mask_) * kBucket; }
    unsigned rank_bits() const noexcept { return rank_bits_; }

   private:
    static constexpr std::size_t kBucket = 4;
    static constexpr unsigned kMaxMoves = 200;
    // An entry of two ids that no vocabulary uses: all ones.
    static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

    void allocate(std::size_t n_buckets) {
        memory_ = HugeBuffer::with_any_contents(n_buckets * kBucket * sizeof(std::uint64_t));
        words_ = static_cast<std::uint64_t*>(memory_.data());
        std::fill_n(words_, n_buckets * kBucket, kEmpty);
        mask_ = n_buckets - 1;
    }

    // Buckets fill from their beginning.
    static std::size_t n_entries(const std::uint64_t* bucket) noexcept {
        std::size_t n = 0;
        for (std::size_t i = 0; i < kBucket; ++i) n += bucket[i] != kEmpty;
        return n;
    }

    // Puts an entry into one of its buckets, moving others on if both are full. False: gave up, with one entry, this
    // or another, left over in `homeless_`.
    bool place(std::uint64_t entry) {
        const std::uint64_t* came_from = nullptr;
        for (unsigned moves = 0; moves < kMaxMoves; ++moves) {
            const std::uint64_t hash = hash_of(entry >> rank_bits_ << rank_bits_);
            std::uint64_t* const buckets[2] = {first_bucket(hash), second_bucket(hash)};
            // The emptier one, without jumps over which it is: few entries then have to move on.
            const std::size_t n[2] = {n_entries(buckets[0]), n_entries(buckets[1])};
            const std::size_t emptier = n[1] < n[0] ? 1 : 0;
            if (n[emptier] < kBucket) {
                buckets[emptier][n[emptier]] = entry;
                return true;
            }
            std::uint64_t* const bucket = buckets[0] == came_from ? buckets[1] : buckets[0];
            std::swap(entry, bucket[moves % kBucket]);
            came_from = bucket;
        }
        homeless_ = entry;
        return false;
    }

    // Twice the buckets, or as many as it takes.
    void grow() {
        std::vector<std::uint64_t> entries{homeless_};
        std::copy_if(words_, words_ + (mask_ + 1) * kBucket, std::back_inserter(entries),
                     [](std::uint64_t word) { return word != kEmpty; });
        do {
            allocate((mask_ + 1) * 2);
        } while (!std::all_of(entries.begin(), entries.end(), [this](std::uint64_t entry) { return place(entry); }));
    }

    unsigned id_bits_, rank_bits_;
    HugeBuffer memory_;
    std::uint64_t* words_ = nullptr;
    std::size_t mask_ = 0;
    std::uint64_t homeless_ = 0;
};

}  // namespace fissile
