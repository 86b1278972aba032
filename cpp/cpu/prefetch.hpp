// Asking for a cache line before it is needed; nothing where the compiler has no way to.
#pragma once

#include <cstddef>

// A function that does nothing but prefetch looks to gcc as if it did nothing, and calls of it are dropped, unless it
// is inlined before gcc looks: such functions are marked with this.
#if defined(__GNUC__)
#define FISSILE_PREFETCHES [[gnu::always_inline]]
#else
#define FISSILE_PREFETCHES
#endif

namespace fissile {

// How far ahead text is asked for where little of it is read at a time, with other work in between: too little for the
// processor to see where the reading leads to.
inline constexpr std::size_t kTextAhead = 2048;

FISSILE_PREFETCHES inline void prefetch(const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#else
    static_cast<void>(address);
#endif
}

// The same, but to the second cache only: for many at once that are far away, as the first has few lines on their way
// at a time.
FISSILE_PREFETCHES inline void prefetch_far(const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address, 0, 2);
#else
    static_cast<void>(address);
#endif
}

}  // namespace fissile
