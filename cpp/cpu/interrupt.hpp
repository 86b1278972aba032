// Stopping long work: one thread asks the outside now and then, all threads see the answer.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "base.hpp"

namespace fissile {

class Interrupt {
   public:
    // `keep_going` is called on the thread that made this object, about every 20 ms; false stops the work.
    explicit Interrupt(std::function<bool()> keep_going) : keep_going_(std::move(keep_going)) {}

    // Called often by every worker, at least every few microseconds; throws Cancelled once the work is to stop.
    void check() {
        if (stopped_.load(std::memory_order_relaxed)) throw Cancelled();
        if (std::this_thread::get_id() != owner_) return;
        if (++n_checks_ % 64 == 0) check_now();  // reading the clock costs more than a check should
    }

    // The same, for work that takes milliseconds between two checks.
    void check_now() {
        if (stopped_.load(std::memory_order_relaxed)) throw Cancelled();
        if (std::this_thread::get_id() != owner_ || !keep_going_) return;
        const auto now = std::chrono::steady_clock::now();
        if (now < next_question_) return;
        next_question_ = now + std::chrono::milliseconds(20);
        if (keep_going_()) return;
        stop();
        throw Cancelled();
    }
    void stop() { stopped_.store(true, std::memory_order_relaxed); }

   private:
    std::atomic<bool> stopped_{false};
    unsigned n_checks_ = 0;  // of the owner
    std::thread::id owner_ = std::this_thread::get_id();
    std::chrono::steady_clock::time_point next_question_ =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    std::function<bool()> keep_going_;
};

}  // namespace fissile
