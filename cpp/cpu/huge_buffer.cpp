#include "cpu/huge_buffer.hpp"

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace fissile {

namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;
}

void advise_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t n_bytes) {
#if defined(__linux__)
    const auto begin = (reinterpret_cast<std::uintptr_t>(data) + kHugePage - 1) & ~(kHugePage - 1);
    const auto end = (reinterpret_cast<std::uintptr_t>(data) + n_bytes) & ~(kHugePage - 1);
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

HugeBuffer::HugeBuffer(std::size_t n_bytes) : n_bytes_(n_bytes) {
    if (n_bytes == 0) return;
#if defined(__linux__)
    if (n_bytes >= kHugePage) {
        // Map one huge page more than needed and trim, so that the table starts on a huge page.
        const std::size_t size = (n_bytes + kHugePage - 1) & ~(kHugePage - 1);
        void* raw = mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (raw == MAP_FAILED) throw std::bad_alloc();
        const auto base = reinterpret_cast<std::uintptr_t>(raw);
        const auto aligned = (base + kHugePage - 1) & ~(kHugePage - 1);
        if (aligned != base) munmap(raw, aligned - base);
        const std::size_t tail = base + kHugePage - aligned;
        if (tail != 0) munmap(reinterpret_cast<void*>(aligned + size), tail);
        data_ = reinterpret_cast<void*>(aligned);
        n_bytes_ = size;
        mapped_ = true;
        madvise(data_, size, MADV_HUGEPAGE);
        return;
    }
#endif
    // calloc aligns to 16; tables want whole cache lines.
    const std::size_t size = (n_bytes + 127) & ~std::size_t{63};
    void* raw = std::calloc(size + 64, 1);
    if (raw == nullptr) throw std::bad_alloc();
    const auto aligned = (reinterpret_cast<std::uintptr_t>(raw) + 64) & ~std::uintptr_t{63};
    // The distance to the block's start is kept in the byte before the data.
    data_ = reinterpret_cast<void*>(aligned);
    static_cast<std::uint8_t*>(data_)[-1] = static_cast<std::uint8_t>(aligned - reinterpret_cast<std::uintptr_t>(raw));
}

HugeBuffer::~HugeBuffer() {
    if (data_ == nullptr) return;
#if defined(__linux__)
    if (mapped_) {
        munmap(data_, n_bytes_);
        return;
    }
#endif
    auto* bytes = static_cast<std::uint8_t*>(data_);
    std::free(bytes - bytes[-1]);
}

HugeBuffer::HugeBuffer(HugeBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      n_bytes_(std::exchange(other.n_bytes_, 0)),
      mapped_(std::exchange(other.mapped_, false)) {}

HugeBuffer& HugeBuffer::operator=(HugeBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(n_bytes_, other.n_bytes_);
    std::swap(mapped_, other.mapped_);
    return *this;
}

}  // namespace fissile
