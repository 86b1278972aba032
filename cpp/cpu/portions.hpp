// Work in numbered portions, on several threads, with an end that does not depend on how they were shared out.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "cpu/interrupt.hpp"

namespace fissile {

// Calls work(thread, portion) for every portion from 0 to n_portions - 1, on up to n_threads threads, of which the
// calling one is number 0 and must be the interrupt's owner. Portions are taken in order. After an error no more are
// handed out, and the error of the first portion that had one is thrown.
template <class Work>
void run_portions(std::size_t n_portions, unsigned n_threads, Interrupt& interrupt, const Work& work) {
    n_threads = static_cast<unsigned>(std::clamp<std::size_t>(n_threads, 1, std::max<std::size_t>(n_portions, 1)));
    std::atomic<std::size_t> next{0};
    std::mutex lock;
    std::condition_variable one_ended;
    unsigned n_running = n_threads - 1;
    std::size_t error_portion = n_portions;
    std::exception_ptr error;

    const auto run = [&](unsigned thread) {
        std::size_t taken = 0;
        try {
            while ((taken = next.fetch_add(1, std::memory_order_relaxed)) < n_portions) {
                interrupt.check_now();
                work(thread, taken);
            }
        } catch (...) {
            const std::lock_guard guard(lock);
            if (!error || taken < error_portion) {
                error_portion = taken;
                error = std::current_exception();
            }
            next.store(n_portions, std::memory_order_relaxed);
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < n_threads; ++i) {
        threads.emplace_back([&, i] {
            run(i);
            const std::lock_guard guard(lock);
            --n_running;
            one_ended.notify_one();
        });
    }
    run(0);
    // Others may have a long portion left: Ctrl-C has to reach them.
    try {
        std::unique_lock guard(lock);
        while (!one_ended.wait_for(guard, std::chrono::milliseconds(20), [&] { return n_running == 0; })) {
            guard.unlock();
            interrupt.check_now();
            guard.lock();
        }
    } catch (const Cancelled&) {
        const std::lock_guard guard(lock);
        if (!error) error = std::current_exception();
    }
    for (std::thread& thread : threads) thread.join();
    if (error) std::rethrow_exception(error);
}

}  // namespace fissile
