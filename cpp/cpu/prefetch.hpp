// Asking for a cache line before it is needed; nothing where the compiler has no way to.
#pragma once

namespace fissile {

inline void prefetch(const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#else
    static_cast<void>(address);
#endif
}

}  // namespace fissile
