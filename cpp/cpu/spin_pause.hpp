// What a thread does between two looks at what another is about to write.
#pragma once

#if defined(__x86_64__) || defined(__amd64__)
#include <immintrin.h>
#else
#include <thread>
#endif

namespace fissile {

inline void spin_pause() {
#if defined(__x86_64__) || defined(__amd64__)
    _mm_pause();
#else
    std::this_thread::yield();
#endif
}

}  // namespace fissile
