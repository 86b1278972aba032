// A few threads that wait for the next merge: starting threads anew for each of thousands of merges would cost more
// than most merges do.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

namespace fissile {

class MergeCrew {
   public:
    explicit MergeCrew(unsigned n_threads) : n_parts_(n_threads) {
        for (unsigned part = 1; part < n_threads; ++part) threads_.emplace_back([this, part] { wait_for_work(part); });
    }
    ~MergeCrew() {
        work_ = nullptr;
        ++round_;
        round_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }
    MergeCrew(const MergeCrew&) = delete;
    MergeCrew& operator=(const MergeCrew&) = delete;

    unsigned n_parts() const { return n_parts_; }

    // Calls work(part) for every part, part 0 on this thread; returns when all are done. An exception of any is thrown.
    void run(const std::function<void(unsigned)>& work) {
        if (n_parts_ == 1) return work(0);
        work_ = &work;
        errors_.assign(n_parts_, nullptr);
        n_busy_ = n_parts_ - 1;
        ++round_;
        round_.notify_all();
        do_part(work, 0);
        for (unsigned busy = n_busy_; busy != 0; busy = n_busy_) n_busy_.wait(busy);
        for (const std::exception_ptr& error : errors_) {
            if (error) std::rethrow_exception(error);
        }
    }

   private:
    void do_part(const std::function<void(unsigned)>& work, unsigned part) {
        try {
            work(part);
        } catch (...) {
            errors_[part] = std::current_exception();
        }
    }
    void wait_for_work(unsigned part) {
        for (unsigned seen = 0;;) {
            round_.wait(seen);
            seen = round_;
            if (work_ == nullptr) return;
            do_part(*work_, part);
            if (--n_busy_ == 0) n_busy_.notify_all();
        }
    }

    unsigned n_parts_;
    const std::function<void(unsigned)>* work_ = nullptr;
    std::vector<std::exception_ptr> errors_;
    std::atomic<unsigned> round_{0}, n_busy_{0};
    std::vector<std::thread> threads_;
};

}  // namespace fissile
