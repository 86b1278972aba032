// Work in numbered portions, on several threads, with an end that does not depend on how they were shared out.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "cpu/interrupt.hpp"
#include "cpu/run_on_threads.hpp"

namespace fissile {

// Calls work(thread, portion) for every portion from 0 to n_portions - 1, on up to n_threads threads, of which the
// calling one is number 0 and must be the interrupt's owner. Portions are taken in order. After an error no more are
// handed out, and the error of the first portion that had one is thrown.
template <class Work>
void run_portions(std::size_t n_portions, unsigned n_threads, Interrupt& interrupt, const Work& work) {
    n_threads = static_cast<unsigned>(std::clamp<std::size_t>(n_threads, 1, std::max<std::size_t>(n_portions, 1)));
    std::atomic<std::size_t> next{0};
    std::mutex lock;
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
    const std::exception_ptr interrupted = run_on_threads(n_threads, interrupt, run);
    if (!error) error = interrupted;
    if (error) std::rethrow_exception(error);
}

}  // namespace fissile
