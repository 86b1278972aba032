// Asking for a cache line before it is needed; nothing where the compiler has no way to.
#pragma once

// A function that does nothing but prefetch looks to gcc as if it did nothing, and calls of it are dropped, unless it
// is inlined before gcc looks: such functions are marked with this.
#if defined(__GNUC__)
#define FISSILE_PREFETCHES [[gnu::always_inline]]
#else
#define FISSILE_PREFETCHES
#endif

namespace fissile {

FISSILE_PREFETCHES inline void prefetch(const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#else
    static_cast<void>(address);
#endif
}

}  // namespace fissile
