#include "merge/merge_queue.hpp"

#include <algorithm>

namespace fissile {

namespace {

using Candidate = MergeQueueScratch::Candidate;

constexpr std::uint32_t kEnd = 0xffffffffu;

bool later(const Candidate& a, const Candidate& b) { return a.order > b.order; }

}  // namespace

void merge_queue(const PairRanks& pairs, const TokenId* results, std::vector<TokenId>& ids, MergeQueueScratch& scratch,
                 std::size_t stop_at, const std::uint32_t* orders) {
    const auto n = static_cast<std::uint32_t>(ids.size());
    if (n < 2) return;
    std::size_t n_left = n;
    auto& [heap, previous, following] = scratch;
    heap.clear();
    previous.resize(n);
    following.resize(n);
    for (std::uint32_t i = 0; i < n; ++i) {
        previous[i] = i == 0 ? kEnd : i - 1;
        following[i] = i + 1 == n ? kEnd : i + 1;
    }
    const auto candidate_at = [&](std::uint32_t i, Candidate& c) {
        const std::uint32_t j = following[i];
        const std::uint32_t rank = pairs.find(ids[i], ids[j]);
        if (rank == kNoRank) return false;
        c = {std::uint64_t{orders == nullptr ? rank : orders[rank]} << 32 | i, ids[i], ids[j]};
        return true;
    };
    Candidate c;
    for (std::uint32_t i = 0; i + 1 < n; ++i) {
        if (candidate_at(i, c)) heap.push_back(c);
    }
    std::make_heap(heap.begin(), heap.end(), later);
    while (!heap.empty() && n_left > stop_at) {
        std::pop_heap(heap.begin(), heap.end(), later);
        const Candidate top = heap.back();
        heap.pop_back();
        const auto i = static_cast<std::uint32_t>(top.order);
        // Symbols that were merged away hold kNoToken, so a stale candidate never matches.
        const std::uint32_t j = following[i];
        if (ids[i] != top.left || j == kEnd || ids[j] != top.right) continue;
        ids[i] = results[orders == nullptr ? top.order >> 32 : pairs.find(top.left, top.right)];
        --n_left;
        ids[j] = kNoToken;
        following[i] = following[j];
        if (following[i] != kEnd) {
            previous[following[i]] = i;
            if (candidate_at(i, c)) {
                heap.push_back(c);
                std::push_heap(heap.begin(), heap.end(), later);
            }
        }
        if (previous[i] != kEnd && candidate_at(previous[i], c)) {
            heap.push_back(c);
            std::push_heap(heap.begin(), heap.end(), later);
        }
    }
    std::erase(ids, kNoToken);
}

}  // namespace fissile
