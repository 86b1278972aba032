// A few threads that wait for the next merge: starting threads anew for each of thousands of merges would cost more
// than most merges do.
//
// Parts of the work are taken, not assigned. A thread takes tens of microseconds to wake, and milliseconds where others
// use its CPU; what it has not taken by the time the caller is done with a part of its own, the caller does too. So the
// caller never waits for a thread that has not begun, and a busy machine costs no more than one thread would take.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "cpu/spin_pause.hpp"

namespace fissile {

class MergeCrew {
   public:
    explicit MergeCrew(unsigned n_threads) : n_parts_(n_threads), state_(n_threads) {
        for (unsigned i = 1; i < n_threads; ++i) threads_.emplace_back([this] { help(); });
    }
    ~MergeCrew() {
        n_parts_ = 0;  // of a round without parts: the last
        begin_round();
        for (std::thread& thread : threads_) thread.join();
    }
    MergeCrew(const MergeCrew&) = delete;
    MergeCrew& operator=(const MergeCrew&) = delete;

    // Calls work(part) for every part, one a thread there could be; returns when all are done. An exception of the
    // first part that had one is thrown.
    void run(const std::function<void(unsigned)>& work) {
        if (n_parts_ == 1) return work(0);
        work_ = &work;
        errors_.assign(n_parts_, nullptr);
        n_left_.store(n_parts_, std::memory_order_relaxed);
        begin_round();
        take_parts();
        for (unsigned left = n_left_; left != 0; left = n_left_) n_left_.wait(left);
        for (const std::exception_ptr& error : errors_) {
            if (error) std::rethrow_exception(error);
        }
    }

   private:
    // How long a thread looks for the next merge before it sleeps: about what a merge does between its two rounds.
    static constexpr auto kAwake = std::chrono::microseconds(30);

    static std::uint32_t round_of(std::uint32_t state) { return state >> 16; }
    static std::uint32_t next_part(std::uint32_t state) { return state & 0xffffu; }

    // What was written before it is seen by who takes a part.
    void begin_round() {
        state_ = (round_of(state_) + 1) << 16;
        state_.notify_all();
    }

    // Takes parts and does them until none is left; the round they are of.
    std::uint32_t take_parts() {
        std::uint32_t state = state_;
        // A round is not over, nor the next begun, while a part that was taken is not done.
        while (next_part(state) < n_parts_) {
            if (!state_.compare_exchange_weak(state, state + 1)) continue;
            const std::uint32_t part = next_part(state);
            try {
                (*work_)(part);
            } catch (...) {
                errors_[part] = std::current_exception();
            }
            if (--n_left_ == 0) n_left_.notify_all();
            state = state_;
        }
        return round_of(state);
    }

    void help() {
        for (;;) {
            const std::uint32_t seen = take_parts();
            if (n_parts_ == 0) return;
            const auto until = std::chrono::steady_clock::now() + kAwake;
            while (round_of(state_) == seen && std::chrono::steady_clock::now() < until) spin_pause();
            for (std::uint32_t state = state_; round_of(state) == seen && n_parts_ != 0; state = state_) {
                state_.wait(state);
            }
        }
    }

    std::atomic<unsigned> n_parts_;
    const std::function<void(unsigned)>* work_ = nullptr;
    std::vector<std::exception_ptr> errors_;
    // Number of the round, as far as 16 bits go, and in the lower half the next part to be taken.
    std::atomic<std::uint32_t> state_;
    std::atomic<unsigned> n_left_{0};  // parts not done
    std::vector<std::thread> threads_;
};

}  // namespace fissile
