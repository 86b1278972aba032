// Sorted lists of pretokens -> one, with the counts of equal pretokens added.
//
// A source is a list that is read once, in ascending order of bytes: a part of a thread's table, a run spilled to disk,
// a counts file. The merge is a heap of sources, so that it holds one pretoken of each; it costs a few comparisons of
// two words an entry, whole pretokens being compared only where their first 15 bytes are equal.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "train/count_table.hpp"
#include "train/pretoken_counts.hpp"

namespace fissile {

class CountSource {
   public:
    virtual ~CountSource() = default;

    // Goes to the next entry; false if there is none.
    virtual bool next() = 0;

    // The entry, valid until the next call.
    Bytes pretoken;
    std::uint64_t count = 0;
    // Bytes 0 to 7 and 8 to 14 as big-endian numbers, zeros after the end; the lowest byte of `high` is the length, or
    // 16 for more than 15. They order as the pretokens do, but for two of more than 15 bytes.
    std::uint64_t low = 0, high = 0;

   protected:
    void set_key();  // low and high from `pretoken`
};

// What a table sorted, each list a source.
void add_sources(const CountTable::Sorted& table, std::vector<std::unique_ptr<CountSource>>& sources);
// Entries in ascending order.
std::unique_ptr<CountSource> source_of(const PretokenCounts& counts);

// Calls emit for every distinct pretoken in ascending order. Throws Error if a count goes over 64 bits.
using EmitCount = std::function<void(Bytes pretoken, std::uint64_t count)>;
void merge_counts(const std::vector<std::unique_ptr<CountSource>>& sources, const EmitCount& emit,
                  Interrupt& interrupt);

// The union of what tables sorted, on several threads.
PretokenCounts merge_tables(const std::vector<CountTable::Sorted>& tables, unsigned n_threads, Interrupt& interrupt);

// a + b, or Error.
std::uint64_t add_counts(std::uint64_t a, std::uint64_t b);

}  // namespace fissile
