#include "train/pair_index.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "cpu/hash.hpp"
#include "cpu/prefetch.hpp"

namespace fissile {

namespace {

constexpr std::size_t kDenseIds = 1024;  // up to so many ids, pairs are counted in a square table
constexpr std::size_t kCheckEvery = 1 << 16;

std::uint64_t hash_of(PairKey key) { return fold_multiply(key, kHashSeed1); }

// Calls visit(left, right, position, weight) for all neighbours of sequences whose tokens have one slot each.
template <class Visit>
void for_each_pair(const MergeSequences& sequences, Interrupt& interrupt, const Visit& visit) {
    const std::uint32_t* const slots = sequences.slots();
    const auto& weights = sequences.weights();
    for (std::size_t w = 0; w < weights.size(); ++w) {
        const std::size_t end = w + 1 < weights.size() ? weights[w + 1].begin : sequences.n_slots();
        const std::uint64_t weight = weights[w].weight;
        for (std::size_t p = weights[w].begin; p + 1 < end;) {
            const std::size_t stop = std::min(end - 1, p + kCheckEvery);
            for (; p < stop; ++p) {
                if (slots[p] == MergeSequences::kEdge || slots[p + 1] == MergeSequences::kEdge) continue;
                visit(slots[p], slots[p + 1], static_cast<std::uint32_t>(p), weight);
            }
            interrupt.check_now();
        }
    }
}

// What is counted of each pair that is asked for.
class PairCells {
   public:
    struct Cell {
        PairKey key = kNoPair;
        std::uint64_t count = 0;
        std::uint32_t n = 0;
        std::uint32_t* out = nullptr;
    };

    // Stays where it is until another pair is asked for that is new.
    Cell& of(PairKey key) {
        Cell* cell = find(key);
        if (cell->key != kNoPair) return *cell;
        if ((n_ + 1) * 2 > cells_.size()) {
            std::vector<Cell> old(cells_.size() * 2);
            old.swap(cells_);
            for (const Cell& moved : old) {
                if (moved.key != kNoPair) *find(moved.key) = moved;
            }
            cell = find(key);
        }
        ++n_;
        cell->key = key;
        return *cell;
    }
    std::size_t size() const { return n_; }
    std::vector<Cell>& all() { return cells_; }

   private:
    Cell* find(PairKey key) {
        const std::size_t mask = cells_.size() - 1;
        std::size_t slot = hash_of(key) >> 8 & mask;
        while (cells_[slot].key != key && cells_[slot].key != kNoPair) slot = (slot + 1) & mask;
        return &cells_[slot];
    }
    std::vector<Cell> cells_ = std::vector<Cell>(1 << 12);
    std::size_t n_ = 0;
};

// Counters that pairs share, which stop at the most that they hold.
class PairSketch {
   public:
    PairSketch(const MergeSequences& sequences, std::uint64_t threshold, Interrupt& interrupt)
        : sequences_(sequences),
          interrupt_(interrupt),
          enough_(static_cast<std::uint32_t>(std::min<std::uint64_t>(threshold, kMost))),
          counters_(std::bit_ceil(std::clamp<std::size_t>(sequences.n_slots() / 4, 1 << 12, 1 << 21))) {
        for_each([this](PairKey key, std::uint32_t, std::uint64_t weight) {
            std::uint32_t& counter = counters_[place_of(key)];
            counter = static_cast<std::uint32_t>(std::min(std::min(weight, kMost) + counter, kMost));
        });
    }

    // Calls visit(key, position, weight) for all neighbours that are as frequent as the threshold, and some others.
    template <class Visit>
    void for_each_frequent(const Visit& visit) const {
        for_each([&](PairKey key, std::uint32_t position, std::uint64_t weight) {
            if (counters_[place_of(key)] >= enough_) visit(key, position, weight);
        });
    }

   private:
    static constexpr std::uint64_t kMost = 0xffffffffu;
    static constexpr std::size_t kAhead = 16;  // slots looked ahead for, while memory answers

    std::size_t place_of(PairKey key) const {
        return hash_of(key) >> (64 - static_cast<unsigned>(std::countr_zero(counters_.size())));
    }
    template <class Visit>
    void for_each(const Visit& visit) const {
        const std::uint32_t* const slots = sequences_.slots();
        const std::size_t n_ahead = sequences_.n_slots() - std::min(sequences_.n_slots(), kAhead + 1);
        for_each_pair(sequences_, interrupt_, [&](TokenId left, TokenId right, std::uint32_t p, std::uint64_t weight) {
            if (p < n_ahead) prefetch(&counters_[place_of(pair_key(slots[p + kAhead], slots[p + kAhead + 1]))]);
            visit(pair_key(left, right), p, weight);
        });
    }

    const MergeSequences& sequences_;
    Interrupt& interrupt_;
    std::uint32_t enough_;
    std::vector<std::uint32_t> counters_;
};

}  // namespace

void PairIndex::reset(std::size_t n_pairs) {
    table_ = std::vector<Entry>(std::bit_ceil(n_pairs * 2 + 64));
    n_used_ = 0;
    queue_.clear();
}

std::size_t PairIndex::slot_of(PairKey key) const {
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = hash_of(key) & mask;
    while (table_[slot].key != key && table_[slot].key != kNoPair) slot = (slot + 1) & mask;
    return slot;
}

void PairIndex::grow() {
    std::vector<Entry> old = std::move(table_);
    const auto alive =
        static_cast<std::size_t>(std::count_if(old.begin(), old.end(), [](const Entry& e) { return e.count != 0; }));
    table_ = std::vector<Entry>(std::bit_ceil(alive * 3 + 64));
    n_used_ = alive;
    for (Entry& entry : old) {
        if (entry.count != 0) table_[slot_of(entry.key)] = std::move(entry);
    }
}

void PairIndex::push(Queued queued) {
    queue_.push_back(queued);
    std::push_heap(queue_.begin(), queue_.end());
}

std::uint32_t* PairIndex::insert(PairKey key, std::uint64_t count, std::uint32_t n_positions) {
    if ((n_used_ + 1) * 4 > table_.size() * 3) grow();
    Entry& entry = table_[slot_of(key)];
    if (entry.key == kNoPair) ++n_used_;
    entry.key = key;
    entry.count = count;
    entry.positions = PositionList(n_positions);
    push({count, key});
    return entry.positions.data.get();
}

void PairIndex::decrease(PairKey key, std::uint64_t count) {
    Entry& entry = table_[slot_of(key)];
    if (entry.count == 0) return;
    entry.count -= count;
    if (entry.count < threshold_) {
        entry.count = 0;
        entry.positions = PositionList();
    }
}

void PairIndex::forget_token(TokenId id) {
    for (Entry& entry : table_) {
        if (entry.count == 0 || (left_of(entry.key) != id && right_of(entry.key) != id)) continue;
        entry.count = 0;
        entry.positions = PositionList();
    }
}

bool PairIndex::take_best(Best& best) {
    while (!queue_.empty()) {
        std::pop_heap(queue_.begin(), queue_.end());
        const Queued top = queue_.back();
        queue_.pop_back();
        Entry& entry = table_[slot_of(top.key)];
        if (entry.count == 0) continue;
        if (entry.count != top.count) {
            push({entry.count, top.key});
            continue;
        }
        best.key = top.key;
        best.count = top.count;
        best.positions = std::move(entry.positions);
        entry.count = 0;
        return true;
    }
    return false;
}

void PairIndex::build(const MergeSequences& sequences, const TokenShapes& shapes, std::size_t n_ids,
                      std::uint64_t threshold, std::uint64_t least, std::uint64_t n_wanted, Interrupt& interrupt) {
    threshold_ = threshold;
    if (n_ids <= kDenseIds) {
        build_dense(sequences, shapes, n_ids, interrupt);
    } else {
        const std::uint64_t sampled = sampled_threshold(sequences, shapes, n_wanted, interrupt);
        if (sampled != 0) threshold_ = std::max(sampled, least);
        build_sparse(sequences, shapes, interrupt);
    }
}

void PairIndex::build_dense(const MergeSequences& sequences, const TokenShapes& shapes, std::size_t n_ids,
                            Interrupt& interrupt) {
    struct Cell {
        std::uint64_t count = 0;
        std::uint32_t n = 0;
        std::uint32_t* out = nullptr;
    };
    std::vector<Cell> cells(n_ids * n_ids);
    for_each_pair(sequences, interrupt, [&](TokenId left, TokenId right, std::uint32_t, std::uint64_t weight) {
        Cell& cell = cells[left * n_ids + right];
        cell.count += weight;
        ++cell.n;
    });
    reset(0);
    for (TokenId left = 0; left < n_ids; ++left) {
        for (TokenId right = 0; right < n_ids; ++right) {
            Cell& cell = cells[left * n_ids + right];
            if (cell.count >= threshold_ && shapes.allows(left, right)) {
                cell.out = insert(pair_key(left, right), cell.count, cell.n);
            }
        }
    }
    for_each_pair(sequences, interrupt, [&](TokenId left, TokenId right, std::uint32_t position, std::uint64_t) {
        Cell& cell = cells[left * n_ids + right];
        if (cell.out != nullptr) *cell.out++ = position;
    });
}

// How often about kSpare * n_wanted pairs occur at least, by one pair in kShare; 0 if there are not so many. Merging
// takes some of the pairs for the tokens that others make, and makes new ones.
std::uint64_t PairIndex::sampled_threshold(const MergeSequences& sequences, const TokenShapes& shapes,
                                           std::uint64_t n_wanted, Interrupt& interrupt) {
    constexpr std::uint64_t kShare = 64, kSpare = 2, kLeast = 64;
    PairCells cells;
    for_each_pair(sequences, interrupt, [&](TokenId left, TokenId right, std::uint32_t, std::uint64_t weight) {
        const PairKey key = pair_key(left, right);
        if (hash_of(key) % kShare == 0) cells.of(key).count += weight;
    });
    std::vector<std::uint64_t> counts;
    for (const PairCells::Cell& cell : cells.all()) {
        if (cell.key != kNoPair && shapes.allows(left_of(cell.key), right_of(cell.key))) counts.push_back(cell.count);
    }
    const std::uint64_t n = std::max(n_wanted * kSpare / kShare, kLeast);
    if (n >= counts.size()) return 0;
    const auto nth = counts.begin() + static_cast<std::ptrdiff_t>(n);
    std::nth_element(counts.begin(), nth, counts.end(), std::greater<>());
    return *nth;
}

// A sketch first: counters that pairs share, so never too low, up to the threshold. Only pairs whose counter reaches it
// enter the table, which rare pairs would fill.
void PairIndex::build_sparse(const MergeSequences& sequences, const TokenShapes& shapes, Interrupt& interrupt) {
    const PairSketch sketch(sequences, threshold_, interrupt);
    PairCells cells;
    sketch.for_each_frequent([&](PairKey key, std::uint32_t, std::uint64_t weight) {
        PairCells::Cell& cell = cells.of(key);
        cell.count += weight;
        ++cell.n;
    });
    reset(cells.size());
    for (PairCells::Cell& cell : cells.all()) {
        if (cell.key != kNoPair && cell.count >= threshold_ && shapes.allows(left_of(cell.key), right_of(cell.key))) {
            cell.out = insert(cell.key, cell.count, cell.n);
        }
    }
    sketch.for_each_frequent([&](PairKey key, std::uint32_t position, std::uint64_t) {
        PairCells::Cell& cell = cells.of(key);
        if (cell.out != nullptr) *cell.out++ = position;
    });
}

}  // namespace fissile
