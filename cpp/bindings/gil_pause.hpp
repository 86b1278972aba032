// Letting go of the GIL for some microseconds, many times a second, beside other threads that do the same.
//
// A thread that comes back from the core while another holds the GIL is put to sleep, and waking it takes tens of
// microseconds, several times what a short text takes. But who holds it has mostly come back from the core itself just
// before, and lets go within a fraction of a microsecond, with its next text. So whoever comes back takes a turn, which
// it has until it leaves again, and others wait for that in a loop, for some microseconds at most, before they ask for
// the GIL. Two threads with texts of 2,000 characters: 1.1 to 1.3 of one without, 1.8 to 2.0 with it.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "cpu/spin_pause.hpp"

namespace fissile::bindings {

namespace py = pybind11;

#ifdef Py_GIL_DISABLED
using GilPause = py::gil_scoped_release;
#else
class GilPause {
   public:
    GilPause() {
        std::uintptr_t mine = this_thread();
        turn().compare_exchange_strong(mine, 0, std::memory_order_relaxed);
    }
    ~GilPause() {
        take_turn();
        release_.reset();  // takes the GIL
        std::uintptr_t mine = this_thread() | kAsking;
        turn().compare_exchange_strong(mine, this_thread(), std::memory_order_relaxed);
    }
    GilPause(const GilPause&) = delete;
    GilPause& operator=(const GilPause&) = delete;

   private:
    using Clock = std::chrono::steady_clock;
    // Little beside the milliseconds after which Python takes the GIL from a thread that goes on without a pause.
    static constexpr auto kLongest = std::chrono::microseconds(20);
    // For a thread that asks for the GIL, and may have to be woken: without it, whoever is awake would take the GIL
    // before it each time, and it would sleep on.
    static constexpr auto kLongestForAsking = std::chrono::microseconds(200);

    // The thread that came back last, or is about to, until it leaves. No lock: it is only waited for a while.
    static std::atomic<std::uintptr_t>& turn() {
        static std::atomic<std::uintptr_t> thread{0};
        return thread;
    }
    static constexpr std::uintptr_t kAsking = 1;  // beside the thread: it has not got the GIL yet
    static std::uintptr_t this_thread() {
        alignas(2) static thread_local const char here = 0;
        return reinterpret_cast<std::uintptr_t>(&here);
    }
    static void take_turn() {
        const std::uintptr_t mine = this_thread() | kAsking;
        std::uintptr_t other = 0;
        if (turn().compare_exchange_strong(other, mine, std::memory_order_relaxed)) return;
        const auto begin = Clock::now();
        std::uintptr_t last = other;
        for (auto since = begin, now = begin; now - begin < 4 * kLongestForAsking; now = Clock::now()) {
            spin_pause();
            // Looked at before it is written to, as each attempt takes the cache line from who is about to leave.
            other = turn().load(std::memory_order_relaxed);
            if (other == 0 && turn().compare_exchange_weak(other, mine, std::memory_order_relaxed)) return;
            if (other != last) {
                last = other;
                since = now;
            }
            if (now - since >= ((other & kAsking) != 0 ? kLongestForAsking : kLongest)) break;
        }
        turn().store(mine, std::memory_order_relaxed);  // that one does something else
    }

    std::optional<py::gil_scoped_release> release_{std::in_place};
};
#endif

}  // namespace fissile::bindings
