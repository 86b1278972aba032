#include "merge/merge_tree.hpp"

#include <algorithm>

namespace fissile {

namespace {

constexpr std::size_t kFanOut = 16;
constexpr std::size_t kMergesAtOnce = 4096;  // between two looks at an interrupt
constexpr std::uint32_t kEnd = 0xffffffffu;
constexpr std::uint64_t kNone = ~std::uint64_t{0};

std::uint64_t smallest_of(const std::uint64_t* numbers) noexcept {
    std::uint64_t least[kFanOut / 2];
    for (std::size_t i = 0; i < kFanOut / 2; ++i) least[i] = std::min(numbers[i], numbers[i + kFanOut / 2]);
    for (std::size_t n = kFanOut / 4; n != 0; n /= 2) {
        for (std::size_t i = 0; i < n; ++i) least[i] = std::min(least[i], least[i + n]);
    }
    return least[0];
}

// The levels of a tree in one array.
class Tree {
   public:
    Tree(std::size_t n, std::vector<std::uint64_t>& numbers) {
        std::size_t size = 0;
        for (std::size_t level_size = n;; level_size = (level_size + kFanOut - 1) / kFanOut) {
            begins_[n_levels_++] = size;
            size += (level_size + kFanOut - 1) / kFanOut * kFanOut;
            if (level_size <= kFanOut) break;
        }
        numbers.assign(size, kNone);
        numbers_ = numbers.data();
    }

    void set(std::size_t i, std::uint64_t number) noexcept { numbers_[i] = number; }
    void build(std::size_t n) noexcept {
        for (std::size_t level = 0; level + 1 < n_levels_; ++level) {
            n = (n + kFanOut - 1) / kFanOut;
            for (std::size_t block = 0; block < n; ++block) refresh(level, block);
        }
    }
    // After three numbers were set, a <= b <= c.
    void update(std::size_t a, std::size_t b, std::size_t c) noexcept {
        for (std::size_t level = 0; level + 1 < n_levels_; ++level) {
            a /= kFanOut;
            b /= kFanOut;
            c /= kFanOut;
            refresh(level, a);
            if (b != a) refresh(level, b);
            if (c != b) refresh(level, c);
        }
    }
    std::uint64_t smallest() const noexcept { return smallest_of(numbers_ + begins_[n_levels_ - 1]); }

   private:
    void refresh(std::size_t level, std::size_t block) noexcept {
        numbers_[begins_[level + 1] + block] = smallest_of(numbers_ + begins_[level] + block * kFanOut);
    }

    std::uint64_t* numbers_;
    std::size_t begins_[9];  // 16^8 == 2^32
    std::size_t n_levels_ = 0;
};

}  // namespace

void merge_tree(const PairRanks& pairs, MergeResults results, std::vector<TokenId>& ids, MergeTreeScratch& scratch,
                std::size_t stop_at, const std::uint32_t* orders, Interrupt* interrupt) {
    const auto n = static_cast<std::uint32_t>(ids.size());
    if (n < 2) return;
    auto& [numbers, previous, following] = scratch;
    previous.resize(n);
    following.resize(n);
    Tree tree(n, numbers);
    const auto number_of = [&](std::uint32_t i, std::uint32_t j) {
        const std::uint32_t rank = pairs.find(ids[i], ids[j]);
        if (rank == kNoRank) return kNone;
        return std::uint64_t{orders == nullptr ? rank : orders[rank]} << 32 | i;
    };
    for (std::uint32_t i = 0; i < n; ++i) {
        previous[i] = i - 1;  // kEnd before the first
        following[i] = i + 1 == n ? kEnd : i + 1;
        if (i + 1 < n) tree.set(i, number_of(i, i + 1));
    }
    tree.build(n);
    for (std::size_t n_left = n; n_left > stop_at; --n_left) {
        if (n_left % kMergesAtOnce == 0 && interrupt != nullptr) interrupt->check_now();
        const std::uint64_t best = tree.smallest();
        if (best == kNone) break;
        const auto i = static_cast<std::uint32_t>(best);
        const std::uint32_t merged = following[i], before = previous[i], after = following[merged];
        ids[i] = results[orders == nullptr ? best >> 32 : pairs.find(ids[i], ids[merged])];
        ids[merged] = kNoToken;
        following[i] = after;
        tree.set(merged, kNone);
        tree.set(i, after == kEnd ? kNone : number_of(i, after));
        if (after != kEnd) previous[after] = i;
        if (before != kEnd) tree.set(before, number_of(before, i));
        tree.update(before == kEnd ? i : before, i, merged);
    }
    std::erase(ids, kNoToken);
}

}  // namespace fissile
