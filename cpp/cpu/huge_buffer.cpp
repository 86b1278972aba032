#include "cpu/huge_buffer.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace fissile {

namespace {

// Of memory that is not mapped, whole cache lines, and one before the first, whose last byte says how far behind the
// start of the block the data begins.
std::size_t size_with_room(std::size_t n_bytes) { return ((n_bytes + 127) & ~std::size_t{63}) + 64; }
std::uint8_t& distance_of(void* data) { return static_cast<std::uint8_t*>(data)[-1]; }

#if defined(__linux__)
constexpr std::size_t kPage = 4096, kHugePage = HugeBuffer::kHugePage;
// What is written from its beginning on is mapped from this size on: one fault in place of more than a hundred.
constexpr std::size_t kLeastMapped = std::size_t{512} << 10;

std::size_t round_up(std::size_t n_bytes, std::size_t unit) { return (n_bytes + unit - 1) / unit * unit; }

// Maps one huge page more than needed and trims, so that the memory starts on a huge page.
void* map_aligned(std::size_t size, int protection) {
    void* const raw = mmap(nullptr, size + kHugePage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) throw std::bad_alloc();
    const auto base = reinterpret_cast<std::uintptr_t>(raw);
    const std::uintptr_t aligned = round_up(base, kHugePage);
    if (aligned != base) munmap(raw, aligned - base);
    const std::size_t tail = base + kHugePage - aligned;
    if (tail != 0) munmap(reinterpret_cast<void*>(aligned + size), tail);
    return reinterpret_cast<void*>(aligned);
}
#endif

}  // namespace

HugeBuffer::HugeBuffer(std::size_t n_bytes) {
    if (n_bytes == 0) return;
#if defined(__linux__)
    if (n_bytes >= kHugePage) {
        map(n_bytes);
        return;
    }
#endif
    allocate_small(n_bytes, true);
}

#if defined(__linux__)
void HugeBuffer::map(std::size_t n_bytes) {
    n_bytes_ = round_up(n_bytes, kHugePage);
    data_ = map_aligned(n_bytes_, PROT_READ | PROT_WRITE);
    mapped_ = true;
    madvise(data_, n_bytes_, MADV_HUGEPAGE);
}
#endif

// calloc and malloc align to 16; tables want whole cache lines.
void HugeBuffer::allocate_small(std::size_t n_bytes, bool zeroed) {
    n_bytes_ = n_bytes;
    const std::size_t size = size_with_room(n_bytes);
    void* const raw = zeroed ? std::calloc(size, 1) : std::malloc(size);
    if (raw == nullptr) throw std::bad_alloc();
    const auto aligned = (reinterpret_cast<std::uintptr_t>(raw) + 64) & ~std::uintptr_t{63};
    data_ = reinterpret_cast<void*>(aligned);
    distance_of(data_) = static_cast<std::uint8_t>(aligned - reinterpret_cast<std::uintptr_t>(raw));
}

HugeBuffer::~HugeBuffer() {
    if (data_ == nullptr) return;
#if defined(__linux__)
    if (mapped_) {
        munmap(data_, n_bytes_);
        return;
    }
#endif
    std::free(static_cast<std::uint8_t*>(data_) - distance_of(data_));
}

void HugeBuffer::forget_beyond(std::size_t n_bytes) noexcept {
#if defined(__linux__)
    const std::size_t kept = round_up(n_bytes, kPage);
    if (mapped_ && kept < n_bytes_) madvise(static_cast<std::uint8_t*>(data_) + kept, n_bytes_ - kept, MADV_DONTNEED);
#else
    static_cast<void>(n_bytes);
#endif
}

#if defined(__linux__)
namespace {

// Some blocks, whose size stands in their first bytes: as many as a batch has results at a time, each thread's and the
// joined one. Without a lock, as a fork may come at any time: who takes a block out of its place owns it.
constexpr std::size_t kMostSpare = std::size_t{64} << 20;  // all of them
std::array<std::atomic<void*>, 4> spare_blocks{};
std::atomic<std::size_t> spare_bytes{0};

std::size_t& size_of(void* block) { return *static_cast<std::size_t*>(block); }

void* take_out(std::atomic<void*>& place) noexcept {
    void* const block = place.exchange(nullptr);
    if (block != nullptr) spare_bytes -= size_of(block);
    return block;
}

// Where there is no room, others leave for it.
void put_aside(void* block) noexcept {
    for (std::atomic<void*>& place : spare_blocks) {
        if (spare_bytes + size_of(block) <= kMostSpare) break;
        if (void* const other = take_out(place)) munmap(other, size_of(other));
    }
    spare_bytes += size_of(block);
    for (std::atomic<void*>& place : spare_blocks) {
        void* empty = nullptr;
        if (place.compare_exchange_strong(empty, block)) return;
    }
    if (void* const other = spare_blocks[0].exchange(block)) {
        spare_bytes -= size_of(other);
        munmap(other, size_of(other));
    }
}

// The one that suits: the least that is large enough, or else the largest, but none of more than four times the size.
void* take_spare(std::size_t n_bytes) noexcept {
    void* best = nullptr;
    const auto suits_better = [&](std::size_t size, std::size_t than) {
        return size >= n_bytes ? than < n_bytes || size < than : than < n_bytes && size > than;
    };
    for (std::atomic<void*>& place : spare_blocks) {
        void* block = take_out(place);
        if (block == nullptr) continue;
        if (size_of(block) / 4 <= n_bytes && (best == nullptr || suits_better(size_of(block), size_of(best))))
            std::swap(best, block);
        if (block != nullptr) put_aside(block);
    }
    return best;
}

}  // namespace

HugeBuffer HugeBuffer::with_any_contents(std::size_t n_bytes) {
    HugeBuffer buffer;
    if (n_bytes < kLeastMapped) {
        if (n_bytes != 0) buffer.allocate_small(n_bytes, false);
        return buffer;
    }
    void* const block = take_spare(n_bytes);
    if (block == nullptr) {
        buffer.map(n_bytes);
        return buffer;
    }
    buffer.data_ = block;
    buffer.n_bytes_ = size_of(block);
    buffer.mapped_ = true;
    if (buffer.n_bytes_ < n_bytes) buffer.resize(n_bytes);
    return buffer;
}

void HugeBuffer::recycle(HugeBuffer buffer) noexcept {
    if (!buffer.mapped_ || buffer.n_bytes_ > kMostSpare) return;
    size_of(buffer.data_) = buffer.n_bytes_;
    buffer.mapped_ = false;
    put_aside(std::exchange(buffer.data_, nullptr));
}
#else
HugeBuffer HugeBuffer::with_any_contents(std::size_t n_bytes) { return HugeBuffer(n_bytes); }

void HugeBuffer::recycle(HugeBuffer) noexcept {}
#endif

void HugeBuffer::resize(std::size_t n_bytes) {
#if defined(__linux__)
    if (mapped_ && n_bytes <= n_bytes_ && n_bytes != 0) {
        const std::size_t size = round_up(n_bytes, kPage);
        if (size < n_bytes_) munmap(static_cast<std::uint8_t*>(data_) + size, n_bytes_ - size);
        n_bytes_ = size;
        return;
    }
    if (mapped_ && n_bytes > n_bytes_) {
        const std::size_t size = round_up(n_bytes, kHugePage);
        // Whole huge pages are moved as such only between places that are aligned to them.
        void* const place = map_aligned(size, PROT_NONE);
        if (mremap(data_, n_bytes_, size, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED) {
            munmap(place, size);
            throw std::bad_alloc();
        }
        data_ = place;
        n_bytes_ = size;
        madvise(data_, size, MADV_HUGEPAGE);
        return;
    }
    const bool stays = data_ != nullptr && n_bytes != 0 && n_bytes < kLeastMapped;
#else
    const bool stays = data_ != nullptr && n_bytes != 0;
#endif
    if (stays) {
        const std::size_t distance = distance_of(data_);
        void* const raw = std::realloc(static_cast<std::uint8_t*>(data_) - distance, size_with_room(n_bytes));
        if (raw == nullptr) throw std::bad_alloc();
        data_ = static_cast<std::uint8_t*>(raw) + distance;
        n_bytes_ = n_bytes;
        return;
    }
    HugeBuffer other = with_any_contents(n_bytes);
    if (n_bytes != 0 && data_ != nullptr) std::memcpy(other.data_, data_, std::min(n_bytes, n_bytes_));
    *this = std::move(other);
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
