#include "train/pair_index.hpp"

#include <algorithm>
#include <bit>

#include "cpu/hash.hpp"

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

}  // namespace

void PairIndex::reset(std::size_t n_pairs) {
    table_ = std::vector<Entry>(std::bit_ceil(n_pairs * 2 + 64));
    n_used_ = 0;
    queue_.clear();
}

std::size_t PairIndex::slot_of(PairKey key) const {
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = hash_of(key) & mask;
    while (table_[slot].key != key && table_[slot].key != kEmpty) slot = (slot + 1) & mask;
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
    if (entry.key == kEmpty) ++n_used_;
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
                      std::uint64_t threshold, Interrupt& interrupt) {
    threshold_ = threshold;
    if (n_ids <= kDenseIds) {
        build_dense(sequences, shapes, n_ids, interrupt);
    } else {
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

// A sketch first: counters that pairs share, so never too low. Only pairs whose counter reaches the threshold enter the
// table, which rare pairs would fill.
void PairIndex::build_sparse(const MergeSequences& sequences, const TokenShapes& shapes, Interrupt& interrupt) {
    const std::size_t n_counters = std::bit_ceil(std::clamp<std::size_t>(sequences.n_slots() / 4, 1 << 12, 1 << 21));
    const unsigned shift = static_cast<unsigned>(64 - std::countr_zero(n_counters));
    std::vector<std::uint64_t> sketch(n_counters);
    for_each_pair(sequences, interrupt, [&](TokenId left, TokenId right, std::uint32_t, std::uint64_t weight) {
        sketch[hash_of(pair_key(left, right)) >> shift] += weight;
    });
    struct Cell {
        PairKey key = kEmpty;
        std::uint64_t count = 0;
        std::uint32_t n = 0;
        std::uint32_t* out = nullptr;
    };
    std::vector<Cell> cells(1 << 12);
    std::size_t n_cells = 0;
    const auto cell_of = [&](PairKey key) -> Cell& {
        const std::size_t mask = cells.size() - 1;
        std::size_t slot = hash_of(key) & mask;
        while (cells[slot].key != key && cells[slot].key != kEmpty) slot = (slot + 1) & mask;
        return cells[slot];
    };
    for_each_pair(sequences, interrupt, [&](TokenId left, TokenId right, std::uint32_t, std::uint64_t weight) {
        const PairKey key = pair_key(left, right);
        if (sketch[hash_of(key) >> shift] < threshold_) return;
        Cell& cell = cell_of(key);
        cell.count += weight;
        ++cell.n;
        if (cell.key != kEmpty) return;
        cell.key = key;
        if (++n_cells * 2 <= cells.size()) return;
        std::vector<Cell> old(cells.size() * 2);
        old.swap(cells);
        for (const Cell& moved : old) {
            if (moved.key != kEmpty) cell_of(moved.key) = moved;
        }
    });
    reset(n_cells);
    for (Cell& cell : cells) {
        if (cell.key != kEmpty && cell.count >= threshold_ && shapes.allows(left_of(cell.key), right_of(cell.key))) {
            cell.out = insert(cell.key, cell.count, cell.n);
        }
    }
    for_each_pair(sequences, interrupt, [&](TokenId left, TokenId right, std::uint32_t position, std::uint64_t) {
        const PairKey key = pair_key(left, right);
        if (sketch[hash_of(key) >> shift] < threshold_) return;
        Cell& cell = cell_of(key);
        if (cell.out != nullptr) *cell.out++ = position;
    });
}

}  // namespace fissile
