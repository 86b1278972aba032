// (left id, right id) -> rank of the merge that joins them.
//
// Merging asks mostly for pairs that are not there, and the table of a large vocabulary does not fit a core's cache.
// So a filter of 16 bits a merge, which does fit, answers most of those first; what passes it is looked up in an open
// addressed table of one word a merge, ids and rank packed together. Few absent pairs reach it, so it may be four
// fifths full.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base.hpp"
#include "cpu/hash.hpp"
#include "cpu/huge_buffer.hpp"

namespace fissile {

inline constexpr std::uint32_t kNoRank = 0xffffffffu;

class PairRanks {
   public:
    PairRanks() : PairRanks(1, 1) {}

    // For ids below n_vocab and at most n_merges merges, with ranks below n_merges' bound `max_rank`.
    PairRanks(std::size_t n_vocab, std::size_t n_merges, std::size_t max_rank = 0)
        : id_bits_(static_cast<unsigned>(std::bit_width(n_vocab))), rank_bits_(64 - 2 * id_bits_) {
        if (id_bits_ > 24 || (std::max(n_merges, max_rank) >> rank_bits_) != 0) {
            throw Error("a vocabulary of " + std::to_string(n_vocab) + " tokens and " + std::to_string(n_merges) +
                        " merges is larger than supported");
        }
        const std::size_t n_slots = std::bit_ceil(n_merges + n_merges / 4 + 16);
        const std::size_t n_words = std::bit_ceil(n_merges / 4 + 16);
        // One buffer, so that a large table and its filter share huge pages.
        memory_ = HugeBuffer((n_slots + n_words) * sizeof(std::uint64_t));
        slots_ = static_cast<std::uint64_t*>(memory_.data());
        filter_ = slots_ + n_slots;
        slot_shift_ = static_cast<unsigned>(64 - std::countr_zero(n_slots));
        slot_mask_ = n_slots - 1;
        filter_mask_ = n_words - 1;
    }

    // Rank of the merge of two ids, or kNoRank.
    std::uint32_t find(TokenId left, TokenId right) const noexcept {
        const std::uint64_t hash = hash_of(left, right);
        const std::uint64_t wanted = filter_bits(hash);
        if ((filter_[hash & filter_mask_] & wanted) != wanted) return kNoRank;
        const std::uint64_t key = key_of(left, right);
        for (std::size_t slot = hash >> slot_shift_;; slot = (slot + 1) & slot_mask_) {
            if (slots_[slot] == 0) return kNoRank;
            const std::uint64_t entry = ~slots_[slot];
            if (entry >> rank_bits_ == key)
                return static_cast<std::uint32_t>(entry & ((std::uint64_t{1} << rank_bits_) - 1));
        }
    }

    // A pair given twice keeps the later rank, as `tokenizers` does. At most the n_merges of the constructor.
    void insert(TokenId left, TokenId right, std::uint32_t rank) {
        const std::uint64_t hash = hash_of(left, right), key = key_of(left, right);
        std::size_t slot = hash >> slot_shift_;
        while (slots_[slot] != 0 && ~slots_[slot] >> rank_bits_ != key) slot = (slot + 1) & slot_mask_;
        slots_[slot] = ~(key << rank_bits_ | rank);
        filter_[hash & filter_mask_] |= filter_bits(hash);
    }

   private:
    static std::uint64_t hash_of(TokenId left, TokenId right) noexcept {
        return fold_multiply(std::uint64_t{left} << 32 | right, kHashSeed1);
    }
    static std::uint64_t filter_bits(std::uint64_t hash) noexcept {
        return std::uint64_t{1} << (hash >> 26 & 63) | std::uint64_t{1} << (hash >> 32 & 63);
    }
    std::uint64_t key_of(TokenId left, TokenId right) const noexcept { return std::uint64_t{left} << id_bits_ | right; }

    unsigned id_bits_, rank_bits_;
    HugeBuffer memory_;
    // Entries are kept inverted, so that a word of zeros is an empty slot: no vocabulary uses the id of all ones.
    std::uint64_t* slots_;
    std::uint64_t* filter_;
    unsigned slot_shift_;
    std::size_t slot_mask_, filter_mask_;
};

}  // namespace fissile
