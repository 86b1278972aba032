// (left id, right id) -> the merge that joins them: its rank and the id it makes.
//
// Open addressing with linear probing at a load of at most one half; a key that is not there, the common case in
// merging, ends at the first empty slot, on the average in the first cache line.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/hash.hpp"

namespace fissile {

inline constexpr std::uint32_t kNoRank = 0xffffffffu;

struct PairMerge {
    std::uint32_t rank = kNoRank;  // lower merges first
    TokenId id = kNoToken;
};

class PairRanks {
   public:
    explicit PairRanks(std::size_t n_expected = 0) { rebuild(n_expected); }

    std::size_t size() const { return n_used_; }

    PairMerge find(TokenId left, TokenId right) const noexcept {
        const std::uint64_t key = key_of(left, right);
        for (std::size_t slot = home(key);; slot = (slot + 1) & mask_) {
            const Slot& s = slots_[slot];
            if (s.key == key) return s.merge;
            if (s.key == kEmpty) return {};
        }
    }

    // A pair given twice keeps the later merge, as `tokenizers` does.
    void insert(TokenId left, TokenId right, PairMerge merge) {
        if ((n_used_ + 1) * 2 > slots_.size()) rebuild(n_used_ * 2 + 8);
        Slot& s = slot_for(key_of(left, right));
        n_used_ += s.key == kEmpty;
        s = {key_of(left, right), merge};
    }

    void reserve(std::size_t n_expected) {
        if (n_expected * 2 > slots_.size()) rebuild(n_expected);
    }

    std::size_t n_bytes() const { return slots_.size() * sizeof(Slot); }

   private:
    struct Slot {
        std::uint64_t key = kEmpty;
        PairMerge merge;
    };
    static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

    static std::uint64_t key_of(TokenId left, TokenId right) { return std::uint64_t{left} << 32 | right; }
    std::size_t home(std::uint64_t key) const { return static_cast<std::size_t>((key * kHashSeed1) >> shift_); }

    Slot& slot_for(std::uint64_t key) {
        std::size_t slot = home(key);
        while (slots_[slot].key != kEmpty && slots_[slot].key != key) slot = (slot + 1) & mask_;
        return slots_[slot];
    }

    void rebuild(std::size_t n_expected) {
        const std::size_t n_slots = std::bit_ceil(n_expected * 2 < 16 ? std::size_t{16} : n_expected * 2);
        std::vector<Slot> old = std::move(slots_);
        slots_.assign(n_slots, Slot{});
        mask_ = n_slots - 1;
        shift_ = static_cast<unsigned>(64 - std::countr_zero(n_slots));
        for (const Slot& s : old) {
            if (s.key != kEmpty) slot_for(s.key) = s;
        }
    }

    std::vector<Slot> slots_;
    std::size_t mask_ = 0;
    unsigned shift_ = 0;
    std::size_t n_used_ = 0;
};

}  // namespace fissile
