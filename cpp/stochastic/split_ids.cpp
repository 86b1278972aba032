#include "stochastic/split_ids.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>

#include "cpu/run_on_threads.hpp"

namespace fissile {

namespace {

// Consecutive documents of about this many ids are split by one thread at a time.
constexpr std::int64_t kPortionIds = 1 << 18;

struct Portion {
    std::size_t first, end;  // documents
    IdArray ids, parents;
};

std::vector<Portion> portions_of(const std::vector<std::int64_t>& offsets, unsigned n_threads) {
    const std::size_t n = offsets.size() - 1;
    std::vector<Portion> portions;
    // One thread writes its result where it is handed over; several write portions that are joined.
    const std::int64_t size = n_threads == 1 ? offsets.back() + 1 : kPortionIds;
    for (std::size_t first = 0; first < n;) {
        std::size_t end = first + 1;
        while (end < n && offsets[end + 1] - offsets[first] <= size) ++end;
        portions.push_back({first, end, {}, {}});
        first = end;
    }
    return portions;
}

void check_ids(const TokenId* ids, std::int64_t n, std::size_t n_vocab) {
    const std::int64_t at = std::find_if(ids, ids + n, [&](TokenId id) { return id >= n_vocab; }) - ids;
    if (at == n) return;
    throw Error("ids[" + std::to_string(at) + "] is " + std::to_string(ids[at]) + ", outside the vocabulary of " +
                std::to_string(n_vocab) + " ids");
}

IdArray join(std::vector<Portion>& portions, IdArray Portion::*part) {
    if (portions.size() == 1) return std::move(portions[0].*part);
    std::size_t total = 0;
    for (Portion& portion : portions) total += (portion.*part).size();
    IdArray joined;
    joined.reserve_more(total);
    for (Portion& portion : portions) {
        IdArray ids = std::move(portion.*part);
        TokenId* const to = joined.append_uninitialised(ids.size());
        if (ids.size() != 0) std::memcpy(to, ids.data(), ids.size() * sizeof(TokenId));
    }
    return joined;
}

}  // namespace

SplitIds split_ids(const StochasTok& splitter, const TokenId* ids, const std::vector<std::int64_t>& offsets,
                   const SplitIdsOptions& options) {
    const std::size_t n_documents = offsets.size() - 1;
    SplitIds result;
    result.offsets.assign(n_documents + 1, 0);
    std::vector<Portion> portions = portions_of(offsets, options.n_threads);
    Interrupt interrupt(options.keep_going);
    std::atomic<std::size_t> next{0};
    std::mutex error_lock;
    std::exception_ptr error;
    const auto worker = [&](unsigned) {
        try {
            const auto scratch = splitter.make_scratch();
            scratch->interrupt = &interrupt;
            for (std::size_t taken; (taken = next.fetch_add(1, std::memory_order_relaxed)) < portions.size();) {
                Portion& portion = portions[taken];
                std::size_t most = 0;
                for (std::size_t i = portion.first; i < portion.end; ++i) {
                    most += splitter.max_ids(static_cast<std::size_t>(offsets[i + 1] - offsets[i]), options.p[i]);
                }
                portion.ids.reserve_more(most + StochasTok::kSpare);
                for (std::size_t i = portion.first; i < portion.end; ++i) {
                    interrupt.check();
                    const std::size_t before = portion.ids.size();
                    const SpannedIds document{ids + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i]),
                                              nullptr, 0};
                    splitter.split(document, options.p[i], {options.seed, options.epoch, options.first_index + i},
                                   *scratch, portion.ids, options.want_parents ? &portion.parents : nullptr);
                    result.offsets[i + 1] = static_cast<std::int64_t>(portion.ids.size() - before);
                }
            }
        } catch (...) {
            const std::lock_guard guard(error_lock);
            if (!error) error = std::current_exception();
            interrupt.stop();
        }
    };
    const std::size_t n_threads = std::min<std::size_t>(options.n_threads, std::max<std::size_t>(portions.size(), 1));
    const std::exception_ptr interrupted = run_on_threads(static_cast<unsigned>(n_threads), interrupt, worker);
    if (!error) error = interrupted;
    if (error) {
        try {
            std::rethrow_exception(error);
        } catch (const Cancelled&) {
            throw;
        } catch (const Error&) {
            // Of several wrong ids the first, whichever thread met one.
            check_ids(ids, offsets.back(), splitter.n_vocab());
            throw;
        }
    }
    for (std::size_t i = 0; i < n_documents; ++i) result.offsets[i + 1] += result.offsets[i];
    result.ids = join(portions, &Portion::ids);
    if (options.want_parents) {
        const IdArray places = join(portions, &Portion::parents);
        result.parents.resize(places.size());
        for (std::size_t i = 0; i < n_documents; ++i) {
            for (std::int64_t at = result.offsets[i]; at < result.offsets[i + 1]; ++at) {
                result.parents[static_cast<std::size_t>(at)] = offsets[i] + places.data()[at];
            }
        }
    }
    return result;
}

}  // namespace fissile
