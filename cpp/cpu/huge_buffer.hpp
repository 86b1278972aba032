// Zero-filled memory for large tables and results, on huge pages where the system offers them.
//
// A table of several megabytes that is probed at random spends more time in page walks and first-touch faults than
// in the probes; 2 MiB pages, asked for before the first touch, remove most of both. Where that is not to be had the
// buffer is ordinary zeroed memory: only speed differs.
#pragma once

#include <cstddef>

namespace fissile {

class HugeBuffer {
   public:
    // Large memory begins on a page of this size, and is touched first one such page at a time where there are any.
    static constexpr std::size_t kHugePage = std::size_t{2} << 20;

    HugeBuffer() = default;
    explicit HugeBuffer(std::size_t n_bytes);  // throws std::bad_alloc
    // Memory that is not zero, for what is written before it is read: a block that was given back, if one fits, whose
    // pages are there already.
    static HugeBuffer with_any_contents(std::size_t n_bytes);
    ~HugeBuffer();
    HugeBuffer(HugeBuffer&& other) noexcept;
    HugeBuffer& operator=(HugeBuffer&& other) noexcept;

    // Keeps what is there, though not where it is in cache lines; what is added may be anything. Memory that was mapped
    // is moved by its pages, not copied.
    void resize(std::size_t n_bytes);  // throws std::bad_alloc

    // Gives the system the memory behind the first `n_bytes` for now; what it held is not there any more.
    void forget_beyond(std::size_t n_bytes) noexcept;

    void* data() const { return data_; }
    std::size_t n_bytes() const { return n_bytes_; }

    // To be had again from with_any_contents, up to a bound.
    static void recycle(HugeBuffer buffer) noexcept;

   private:
    void allocate_small(std::size_t n_bytes, bool zeroed);
    void map(std::size_t n_bytes);  // only where huge pages are known

    void* data_ = nullptr;
    std::size_t n_bytes_ = 0;
    bool mapped_ = false;
};

}  // namespace fissile
