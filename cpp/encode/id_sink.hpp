// Where ids go: a growing array, the same with the spans they came from, or a counter. The encoder's loops are
// templates over them, so that counting runs the same code and never builds an id.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "base.hpp"
#include "cpu/huge_buffer.hpp"
#include "merge/front_kernels.hpp"

namespace fissile {

// Ids in one array that grows: large ones by moving their pages, not by copying.
class IdArray {
   public:
    static constexpr bool kWholeSpans = false;

    IdArray() = default;
    ~IdArray() { HugeBuffer::recycle(std::move(memory_)); }
    IdArray(IdArray&& other) noexcept { *this = std::move(other); }
    IdArray& operator=(IdArray&& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }

    std::size_t size() const { return size_; }
    TokenId* data() { return data_; }
    const TokenId* data() const { return data_; }
    void clear() { size_ = 0; }

    // Makes room for `n` more ids, and some to spare for append_pieces.
    void reserve_more(std::size_t n) {
        if (size_ + n + FrontKernels::kSpareIds > capacity_) grow(size_ + n + FrontKernels::kSpareIds);
    }
    void append(const TokenId* ids, std::size_t n) {
        reserve_more(n);
        for (std::size_t i = 0; i < n; ++i) data_[size_ + i] = ids[i];  // mostly a handful: not worth a call of memcpy
        size_ += n;
    }
    // For the next two, room was made by reserve_more.
    TokenId* append_uninitialised(std::size_t n) {
        size_ += n;
        return data_ + size_ - n;
    }
    // Appends pieces until one has its ids elsewhere; returns how many.
    std::size_t append_pieces(const FrontKernels& kernels, const FoundPiece* const* pieces,
                              std::size_t n_pieces) noexcept {
        TokenId* out = data_ + size_;
        const std::size_t n_done = kernels.append(pieces, n_pieces, out);
        size_ = static_cast<std::size_t>(out - data_);
        return n_done;
    }

    void drop_first(std::size_t n) {
        if (n == 0) return;
        std::copy(data_ + n, data_ + size_, data_);
        size_ -= n;
    }
    // Gives the spare end back.
    void shrink() { set_capacity(size_); }

   private:
    void grow(std::size_t needed) { set_capacity(std::max({needed, capacity_ + capacity_ / 2, std::size_t{64}})); }
    void set_capacity(std::size_t capacity) {
        if (data_ == nullptr) {
            memory_ = HugeBuffer::with_any_contents(capacity * sizeof(TokenId));
        } else {
            memory_.resize(capacity * sizeof(TokenId));
        }
        data_ = static_cast<TokenId*>(memory_.data());
        capacity_ = memory_.n_bytes() / sizeof(TokenId);
    }

    HugeBuffer memory_;
    TokenId* data_ = nullptr;
    std::size_t size_ = 0, capacity_ = 0;
};

// Ids, and where those of each span end. A span is handed over whole, never as pieces that were cut out of it.
class SpanIds {
   public:
    static constexpr bool kWholeSpans = true;

    std::size_t size() const { return ids_.size(); }
    TokenId* data() { return ids_.data(); }
    const TokenId* data() const { return ids_.data(); }
    std::span<const std::uint32_t> ends() const { return {ends_.data(), n_ends_}; }
    // The ends of the spans from `first` on that lie before the id `end`, counted from the id `begin` from now on.
    std::span<const std::uint32_t> count_from(std::size_t begin, std::size_t first, std::size_t end) {
        std::uint32_t* const ends = ends_.data() + first;
        std::size_t n = 0;
        for (; first + n < n_ends_ && ends[n] <= end; ++n) ends[n] -= static_cast<std::uint32_t>(begin);
        return {ends, n};
    }
    void clear() {
        ids_.clear();
        n_ends_ = 0;
    }
    // Forgets the first n ids, and all ends.
    void drop_first(std::size_t n) {
        ids_.drop_first(n);
        n_ends_ = 0;
    }
    void reserve_more(std::size_t n) { ids_.reserve_more(n); }
    void append(const TokenId* ids, std::size_t n) {
        ids_.append(ids, n);
        *more_ends(1) = static_cast<std::uint32_t>(ids_.size());
        ++n_ends_;
    }
    std::size_t append_pieces(const FrontKernels& kernels, const FoundPiece* const* pieces, std::size_t n_pieces) {
        std::uint32_t* const ends = more_ends(n_pieces);
        auto n_ids = static_cast<std::uint32_t>(ids_.size());
        const std::size_t n = ids_.append_pieces(kernels, pieces, n_pieces);
        for (std::size_t i = 0; i < n; ++i) ends[i] = n_ids += static_cast<std::uint32_t>(pieces[i]->count());
        n_ends_ += n;
        return n;
    }

   private:
    // Where the next n ends go.
    std::uint32_t* more_ends(std::size_t n) {
        if (n_ends_ + n > ends_.size()) ends_.resize(2 * (n_ends_ + n));
        return ends_.data() + n_ends_;
    }
    IdArray ids_;
    std::vector<std::uint32_t> ends_;  // and room for more
    std::size_t n_ends_ = 0;
};

// Counts the ids it is given.
class IdCounter {
   public:
    static constexpr bool kWholeSpans = false;

    std::size_t size() const { return size_; }
    void clear() { size_ = 0; }
    void reserve_more(std::size_t) {}
    void append(const TokenId*, std::size_t n) { size_ += n; }
    std::size_t append_pieces(const FrontKernels&, const FoundPiece* const* pieces, std::size_t n_pieces) noexcept {
        std::size_t n_ids = 0, i = 0;
        for (; i < n_pieces && pieces[i]->count() != 0; ++i) n_ids += pieces[i]->count();
        size_ += n_ids;
        return i;
    }

   private:
    std::size_t size_ = 0;
};

}  // namespace fissile
