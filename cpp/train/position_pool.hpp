// Memory for lists of positions: a few hundred thousand short ones, most of them of one or two, and some long.
//
// Short ones are cut from blocks and used again by those of the same size, without what malloc adds to each; long ones
// come from malloc and go back to it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include "cpu/huge_buffer.hpp"

namespace fissile {

// Ascending starts of the left tokens of a pair; some may be out of date, as their tokens have been merged since.
struct PositionList {
    std::uint32_t* data = nullptr;
    std::uint32_t size = 0;
};

class PositionPool {
   public:
    PositionPool() { first_long_.before = first_long_.after = &first_long_; }
    ~PositionPool() { clear(); }
    PositionPool(const PositionPool&) = delete;
    PositionPool& operator=(const PositionPool&) = delete;

    // A list of n >= 1 positions, to be written.
    PositionList take(std::uint32_t n) {
        if (n > kMostShort) return {take_long(n), n};
        Free*& free = free_[units(n)];
        if (free != nullptr) return {reinterpret_cast<std::uint32_t*>(std::exchange(free, free->next)), n};
        const std::size_t n_bytes = units(n) * sizeof(Free);
        if (left_ < n_bytes) add_block();
        left_ -= n_bytes;
        return {reinterpret_cast<std::uint32_t*>(std::exchange(at_, at_ + n_bytes)), n};
    }
    // A list that take gave, of the size that it had then.
    void give_back(PositionList list) {
        if (list.size > kMostShort) return give_back_long(list.data);
        Free*& free = free_[units(list.size)];
        free = new (list.data) Free{free};
    }
    // All lists.
    void clear() {
        while (first_long_.after != &first_long_)
            give_back_long(reinterpret_cast<std::uint32_t*>(first_long_.after + 1));
        free_.fill(nullptr);
        blocks_.clear();
        at_ = nullptr;
        left_ = 0;
    }

   private:
    static constexpr std::uint32_t kMostShort = 64;
    static constexpr std::size_t kFirstBlock = std::size_t{64} << 10, kLargestBlock = std::size_t{2} << 20;

    struct Free {
        Free* next;
    };
    // Stands before a long list; all are linked in a ring.
    struct Long {
        Long *before, *after;
    };

    static std::size_t units(std::uint32_t n) { return (n * sizeof(std::uint32_t) + sizeof(Free) - 1) / sizeof(Free); }

    std::uint32_t* take_long(std::uint32_t n) {
        void* const memory = std::malloc(sizeof(Long) + std::size_t{n} * sizeof(std::uint32_t));
        if (memory == nullptr) throw std::bad_alloc();
        Long* const list = new (memory) Long{&first_long_, first_long_.after};
        list->after->before = first_long_.after = list;
        return reinterpret_cast<std::uint32_t*>(list + 1);
    }
    void give_back_long(std::uint32_t* data) {
        Long* const list = reinterpret_cast<Long*>(data) - 1;
        list->before->after = list->after;
        list->after->before = list->before;
        std::free(list);
    }
    // What is left of the last block is lost: less than a short list.
    void add_block() {
        blocks_.emplace_back(blocks_.empty() ? kFirstBlock : std::min(blocks_.back().n_bytes() * 2, kLargestBlock));
        at_ = static_cast<std::uint8_t*>(blocks_.back().data());
        left_ = blocks_.back().n_bytes();
    }

    std::array<Free*, kMostShort / 2 + 1> free_{};  // by size in units
    std::vector<HugeBuffer> blocks_;
    std::uint8_t* at_ = nullptr;
    std::size_t left_ = 0;
    Long first_long_;
};

}  // namespace fissile
