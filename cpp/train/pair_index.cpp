#include "train/pair_index.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace fissile {

namespace {

// Up to so many ids, pairs are counted in a square table; up to the second number only if there are at least so many
// slots for a cell, so that no table takes more memory than the slots do.
constexpr std::size_t kDenseIds = 512, kMostDenseIds = 1024, kSlotsACell = 4;
constexpr std::size_t kCheckEvery = 1 << 16;

// Calls visit(from, to, weight) for stretches of slots whose sequences have one weight, in [begin, end) and of at most
// `longest` slots.
template <class Visit>
void for_each_stretch(const MergeSequences& sequences, std::size_t begin, std::size_t end, std::size_t longest,
                      Interrupt& interrupt, const Visit& visit) {
    const auto& weights = sequences.weights();
    std::size_t until_check = kCheckEvery;
    auto w = static_cast<std::size_t>(
        std::upper_bound(weights.begin(), weights.end(), begin,
                         [](std::size_t at, const MergeSequences::Weighted& range) { return at < range.begin; }) -
        weights.begin());
    for (w -= w != 0; w < weights.size() && weights[w].begin < end; ++w) {
        const std::size_t last = std::min<std::size_t>(w + 1 < weights.size() ? weights[w + 1].begin : end, end);
        for (std::size_t from = std::max<std::size_t>(begin, weights[w].begin); from < last;) {
            const std::size_t to = std::min(last, from + longest);
            visit(from, to, weights[w].weight);
            until_check -= std::min(until_check, to - from);
            if (until_check == 0) {
                until_check = kCheckEvery;
                interrupt.check_now();
            }
            from = to;
        }
    }
}

// A part of all pairs: those whose hashes are in a range, so that a table by the upper bits of the hash has a range
// too.
struct PairShare {
    unsigned share, n_shares;

    bool has(PairKey key) const { return (hash_of_pair(key) >> 48) * n_shares >> 16 == share; }
};

struct Found {
    PairKey key;
    std::uint32_t position;
};
constexpr std::size_t kBatch = 256;

// Calls visit(batch, n, weight) for the neighbours of a share that are of one weight. Sequences' tokens have one slot
// each. What is looked for is found without a jump, as there is no telling when it comes.
template <class Visit>
void for_each_batch(const MergeSequences& sequences, PairShare share, Interrupt& interrupt, const Visit& visit) {
    const std::uint32_t* const slots = sequences.slots();
    Found found[kBatch];
    for_each_stretch(sequences, 0, sequences.n_slots() - 1, kBatch, interrupt,
                     [&](std::size_t from, std::size_t to, std::uint64_t weight) {
                         std::size_t n = 0;
                         for (std::size_t p = from; p < to; ++p) {
                             const PairKey key = pair_key(slots[p], slots[p + 1]);
                             found[n] = {key, static_cast<std::uint32_t>(p)};
                             n += (slots[p] != MergeSequences::kEdge) & (slots[p + 1] != MergeSequences::kEdge) &
                                  share.has(key);
                         }
                         visit(found, n, weight);
                     });
}

// What is counted of each pair that is asked for. The memory is mapped, so that the system has at once what a thread
// gives back.
class PairCells {
   public:
    struct Cell {
        PairKey key;
        std::uint64_t count;  // 0: of no pair
        std::uint32_t n;
        std::uint32_t* out;
    };

    // That of a pair, to be increased; it stays where it is until another pair is counted that is new.
    Cell& of(PairKey key) {
        Cell* cell = find(key);
        if (cell->count != 0) return *cell;
        if ((n_ + 1) * 2 > all().size()) {
            const HugeBuffer old = std::exchange(memory_, HugeBuffer(memory_.n_bytes() * 2));
            for (const Cell& moved : cells_in(old)) {
                if (moved.count != 0) *find(moved.key) = moved;
            }
            cell = find(key);
        }
        ++n_;
        cell->key = key;
        return *cell;
    }
    FISSILE_PREFETCHES void ask(PairKey key) const { prefetch(&all()[first_place(key)]); }
    std::size_t size() const { return n_; }
    std::span<Cell> all() const { return cells_in(memory_); }

   private:
    static std::span<Cell> cells_in(const HugeBuffer& memory) {
        return {static_cast<Cell*>(memory.data()), std::bit_floor(memory.n_bytes() / sizeof(Cell))};
    }
    std::size_t first_place(PairKey key) const { return hash_of_pair(key) >> 8 & (all().size() - 1); }
    Cell* find(PairKey key) const {
        const std::span<Cell> cells = all();
        std::size_t place = first_place(key);
        while (cells[place].count != 0 && cells[place].key != key) place = (place + 1) & (cells.size() - 1);
        return &cells[place];
    }
    HugeBuffer memory_ = HugeBuffer((1 << 12) * sizeof(Cell));
    std::size_t n_ = 0;
};

// Counters that the pairs of a share have in common, which stop at the most that they hold.
class PairSketch {
   public:
    PairSketch(const MergeSequences& sequences, PairShare share, std::uint64_t threshold, Interrupt& interrupt)
        : sequences_(sequences),
          share_(share),
          interrupt_(interrupt),
          enough_(static_cast<std::uint32_t>(std::min<std::uint64_t>(threshold, kMost))),
          n_counters_(std::bit_ceil(std::clamp<std::size_t>(sequences.n_slots() / 4, 1 << 12, 1 << 21))),
          shift_(64 - static_cast<unsigned>(std::countr_zero(n_counters_))),
          mask_(n_counters_ / std::bit_floor(share.n_shares) - 1),
          memory_((mask_ + 1) * sizeof(std::uint32_t)),
          counters_(static_cast<std::uint32_t*>(memory_.data())) {
        for_each_batch(sequences, share, interrupt, [this](const Found* found, std::size_t n, std::uint64_t weight) {
            for (std::size_t i = 0; i < n; ++i) prefetch(&counters_[place_of(found[i].key)]);
            for (std::size_t i = 0; i < n; ++i) {
                std::uint32_t& counter = counters_[place_of(found[i].key)];
                counter = static_cast<std::uint32_t>(std::min(std::min(weight, kMost) + counter, kMost));
            }
        });
    }

    // Calls visit(key, position, weight) for all neighbours that are as frequent as the threshold, and some others;
    // before that ask(key).
    template <class Ask, class Visit>
    void for_each_frequent(const Ask& ask, const Visit& visit) const {
        for_each_batch(sequences_, share_, interrupt_, [&](const Found* found, std::size_t n, std::uint64_t weight) {
            Found frequent[kBatch];
            std::size_t n_frequent = 0;
            for (std::size_t i = 0; i < n; ++i) prefetch(&counters_[place_of(found[i].key)]);
            for (std::size_t i = 0; i < n; ++i) {
                frequent[n_frequent] = found[i];
                n_frequent += counters_[place_of(found[i].key)] >= enough_;
            }
            for (std::size_t i = 0; i < n_frequent; ++i) ask(frequent[i].key);
            for (std::size_t i = 0; i < n_frequent; ++i) visit(frequent[i].key, frequent[i].position, weight);
        });
    }

   private:
    static constexpr std::uint64_t kMost = 0xffffffffu;

    // By the upper bits, of which the first are much the same for all pairs of the share.
    std::size_t place_of(PairKey key) const { return hash_of_pair(key) >> shift_ & mask_; }

    const MergeSequences& sequences_;
    PairShare share_;
    Interrupt& interrupt_;
    std::uint32_t enough_;
    std::size_t n_counters_;  // of all shares
    unsigned shift_;
    std::size_t mask_;
    HugeBuffer memory_;
    std::uint32_t* counters_;
};

// Calls work(share) for each share, on the crew's threads.
template <class Work>
void for_each_share(MergeCrew& crew, unsigned n_shares, const Work& work) {
    if (n_shares == 1) return work(0);
    crew.run([&](unsigned part) {
        if (part < n_shares) work(part);
    });
}

}  // namespace

void PairIndex::make_table(std::size_t n_entries) {
    // What the old one held is in the way no longer than it has to be: who grows it keeps it.
    table_memory_ = HugeBuffer();
    table_memory_ = HugeBuffer(n_entries * sizeof(Entry));
    mask_ = n_entries - 1;
    std::fill_n(table(), n_entries, Entry{kNoPair, 0, {}});
}

void PairIndex::reset(std::size_t n_pairs) {
    make_table(std::bit_ceil(n_pairs * 2 + 64));
    n_used_ = 0;
    pool_.clear();
    taken_ = {};
    queue_ = PairQueue();
}

PairIndex::Entry& PairIndex::entry_of(PairKey key) const {
    Entry* const entries = table();
    std::size_t place = hash_of_pair(key) & mask_;
    while (entries[place].key != key && entries[place].key != kNoPair) place = (place + 1) & mask_;
    return entries[place];
}

void PairIndex::grow() {
    const std::size_t n_old = mask_ + 1;
    const HugeBuffer old = std::move(table_memory_);
    const auto* const entries = static_cast<const Entry*>(old.data());
    const auto alive =
        static_cast<std::size_t>(std::count_if(entries, entries + n_old, [](const Entry& e) { return e.count != 0; }));
    make_table(std::bit_ceil(alive * 3 + 64));
    n_used_ = alive;
    for (std::size_t i = 0; i < n_old; ++i) {
        if (entries[i].count != 0) entry_of(entries[i].key) = entries[i];
    }
}

std::uint32_t* PairIndex::insert(PairKey key, std::uint64_t count, std::uint32_t n_positions) {
    if ((n_used_ + 1) * 4 > (mask_ + 1) * 3) grow();
    Entry& entry = entry_of(key);
    if (entry.key == kNoPair) ++n_used_;
    if (entry.count != 0) forget(entry);
    entry = {key, count, pool_.take(n_positions)};
    queue_.push({count, key});
    return entry.positions.data;
}

void PairIndex::forget(Entry& entry) {
    entry.count = 0;
    pool_.give_back(entry.positions);
}

void PairIndex::decrease(PairKey key, std::uint64_t count) {
    Entry& entry = entry_of(key);
    if (entry.count == 0) return;
    if (entry.count - count < threshold_) return forget(entry);
    entry.count -= count;
}

void PairIndex::forget_token(TokenId id) {
    for (Entry* entry = table(); entry <= table() + mask_; ++entry) {
        if (entry->count != 0 && (left_of(entry->key) == id || right_of(entry->key) == id)) forget(*entry);
    }
}

// Pairs that have their turn soon are mostly rare: nothing of them is near, and each is little work.
void PairIndex::ask_ahead() const {
    constexpr std::size_t kEntry = 12, kPositions = 8, kSlots = 4;
    if (const PairKey key = queue_.ahead(kEntry); key != kNoPair) ask(key);
    const auto first_entry = [this](std::size_t n) -> const Entry* {
        const PairKey key = queue_.ahead(n);
        if (key == kNoPair) return nullptr;
        const Entry& entry = table()[hash_of_pair(key) & mask_];
        return entry.key == key && entry.count != 0 ? &entry : nullptr;
    };
    if (const Entry* const entry = first_entry(kPositions)) prefetch(entry->positions.data);
    if (const Entry* const entry = first_entry(kSlots)) prefetch(slots_ + *entry->positions.data);
}

bool PairIndex::take_best(Best& best) {
    if (taken_.data != nullptr) pool_.give_back(std::exchange(taken_, {}));
    for (PairQueue::Queued top; queue_.pop(top);) {
        ask_ahead();
        Entry& entry = entry_of(top.key);
        if (entry.count == 0) continue;
        if (entry.count != top.count) {
            queue_.push({entry.count, top.key});
            continue;
        }
        taken_ = entry.positions;
        best = {top.key, top.count, taken_};
        entry.count = 0;
        return true;
    }
    return false;
}

void PairIndex::build(const Source& source, std::uint64_t threshold, std::uint64_t least, std::uint64_t n_wanted) {
    threshold_ = threshold;
    slots_ = source.sequences.slots();
    const std::size_t n_cells = source.n_ids * source.n_ids;
    if (source.n_ids <= kDenseIds ||
        (source.n_ids <= kMostDenseIds && source.sequences.n_slots() / kSlotsACell >= n_cells)) {
        build_dense(source);
    } else {
        reset(0);  // what was there is not needed while others are counted
        const std::uint64_t sampled = sampled_threshold(source, n_wanted);
        if (sampled != 0) threshold_ = std::max(sampled, least);
        build_sparse(source);
    }
}

void PairIndex::build_dense(const Source& source) {
    struct Cell {
        union {
            std::uint64_t count = 0;
            std::uint32_t* out;  // once all is counted; null for a pair that is not indexed
        };
        std::uint32_t n = 0;
    };
    const std::size_t n_ids = source.n_ids, n_slots = source.sequences.n_slots();
    // A share of the sequences is worth a table of its own if it is much longer.
    const auto n_shares = static_cast<unsigned>(
        std::clamp<std::size_t>(n_slots / (n_ids * n_ids * kSlotsACell + 1), 1, std::max(source.n_shares, 1u)));
    std::vector<std::vector<Cell>> cells(n_shares);
    const auto for_each_pair = [&](unsigned share, const auto& visit) {
        const std::uint32_t* const slots = source.sequences.slots();
        for_each_stretch(source.sequences, (n_slots - 1) * share / n_shares, (n_slots - 1) * (share + 1) / n_shares,
                         kCheckEvery, source.interrupt, [&](std::size_t from, std::size_t to, std::uint64_t weight) {
                             for (std::size_t p = from; p < to; ++p) {
                                 if (slots[p] == MergeSequences::kEdge || slots[p + 1] == MergeSequences::kEdge)
                                     continue;
                                 visit(cells[share][slots[p] * n_ids + slots[p + 1]], p, weight);
                             }
                         });
    };
    for_each_share(source.crew, n_shares, [&](unsigned share) {
        cells[share].resize(n_ids * n_ids);
        for_each_pair(share, [](Cell& cell, std::size_t, std::uint64_t weight) {
            cell.count += weight;
            ++cell.n;
        });
    });
    reset(0);
    for (TokenId left = 0; left < n_ids; ++left) {
        for (TokenId right = 0; right < n_ids; ++right) {
            const std::size_t place = left * n_ids + right;
            std::uint64_t count = 0;
            std::uint32_t n = 0;
            for (const auto& of_share : cells) {
                count += of_share[place].count;
                n += of_share[place].n;
            }
            const bool is_indexed = count >= threshold_ && source.shapes.allows(left, right);
            std::uint32_t* out = is_indexed ? insert(pair_key(left, right), count, n) : nullptr;
            for (auto& of_share : cells) {
                of_share[place].out = out;
                if (is_indexed) out += of_share[place].n;
            }
        }
    }
    for_each_share(source.crew, n_shares, [&](unsigned share) {
        for_each_pair(share, [](Cell& cell, std::size_t position, std::uint64_t) {
            if (cell.out != nullptr) *cell.out++ = static_cast<std::uint32_t>(position);
        });
    });
}

// How often about kSpare * n_wanted pairs occur at least, by one pair in kShare; 0 if there are not so many. Merging
// takes some of the pairs for the tokens that others make, and makes new ones.
std::uint64_t PairIndex::sampled_threshold(const Source& source, std::uint64_t n_wanted) {
    constexpr std::uint64_t kShare = 64, kSpare = 2, kLeast = 64;
    std::vector<PairCells> cells(source.n_shares);
    for_each_share(source.crew, source.n_shares, [&](unsigned share) {
        // The first of each share's pairs by their hashes are as good as any.
        const PairShare sampled{static_cast<unsigned>(share * kShare), static_cast<unsigned>(source.n_shares * kShare)};
        for_each_batch(source.sequences, sampled, source.interrupt,
                       [&](const Found* found, std::size_t n, std::uint64_t weight) {
                           for (std::size_t i = 0; i < n; ++i) cells[share].of(found[i].key).count += weight;
                       });
    });
    std::vector<std::uint64_t> counts;
    for (PairCells& of_share : cells) {
        for (const PairCells::Cell& cell : of_share.all()) {
            if (cell.count != 0 && source.shapes.allows(left_of(cell.key), right_of(cell.key))) {
                counts.push_back(cell.count);
            }
        }
    }
    const std::uint64_t n = std::max(n_wanted * kSpare / kShare, kLeast);
    if (n >= counts.size()) return 0;
    const auto nth = counts.begin() + static_cast<std::ptrdiff_t>(n);
    std::nth_element(counts.begin(), nth, counts.end(), std::greater<>());
    return *nth;
}

// A sketch first: counters that pairs share, so never too low, up to the threshold. Only pairs whose counter reaches it
// enter the table, which rare pairs would fill.
void PairIndex::build_sparse(const Source& source) {
    struct Share {
        std::optional<PairSketch> sketch;
        PairCells cells;
    };
    std::vector<Share> shares(source.n_shares);
    for_each_share(source.crew, source.n_shares, [&](unsigned i) {
        auto& [sketch, cells] = shares[i];
        sketch.emplace(source.sequences, PairShare{i, source.n_shares}, threshold_, source.interrupt);
        sketch->for_each_frequent([&](PairKey key) { cells.ask(key); },
                                  [&](PairKey key, std::uint32_t, std::uint64_t weight) {
                                      PairCells::Cell& cell = cells.of(key);
                                      cell.count += weight;
                                      ++cell.n;
                                  });
    });
    std::size_t n_pairs = 0;
    for (const Share& share : shares) n_pairs += share.cells.size();
    reset(n_pairs);
    for (Share& share : shares) {
        for (PairCells::Cell& cell : share.cells.all()) {
            if (cell.count < threshold_) continue;
            if (source.shapes.allows(left_of(cell.key), right_of(cell.key))) {
                cell.out = insert(cell.key, cell.count, cell.n);
            }
        }
    }
    for_each_share(source.crew, source.n_shares, [&](unsigned i) {
        auto& [sketch, cells] = shares[i];
        sketch->for_each_frequent([&](PairKey key) { cells.ask(key); },
                                  [&](PairKey key, std::uint32_t position, std::uint64_t) {
                                      PairCells::Cell& cell = cells.of(key);
                                      if (cell.out != nullptr) *cell.out++ = position;
                                  });
    });
}

}  // namespace fissile
