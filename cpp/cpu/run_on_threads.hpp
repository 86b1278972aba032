// One piece of work on several threads at once, which Ctrl-C reaches also while the caller waits for the others.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "cpu/interrupt.hpp"

namespace fissile {

// Calls work(thread), which throws nothing, on n_threads threads, of which the calling one is number 0 and must be the
// interrupt's owner. Returns when all have ended: what interrupted the wait for them, if anything did.
template <class Work>
std::exception_ptr run_on_threads(unsigned n_threads, Interrupt& interrupt, const Work& work) {
    std::mutex lock;
    std::condition_variable one_ended;
    unsigned n_running = n_threads - 1;
    std::exception_ptr interrupted;
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < n_threads; ++i) {
        threads.emplace_back([&, i] {
            work(i);
            const std::lock_guard guard(lock);
            --n_running;
            one_ended.notify_one();
        });
    }
    work(0);
    // Others may have a long portion left.
    try {
        std::unique_lock guard(lock);
        while (!one_ended.wait_for(guard, std::chrono::milliseconds(20), [&] { return n_running == 0; })) {
            guard.unlock();
            interrupt.check_now();
            guard.lock();
        }
    } catch (const Cancelled&) {
        interrupted = std::current_exception();
    }
    for (std::thread& thread : threads) thread.join();
    return interrupted;
}

}  // namespace fissile
