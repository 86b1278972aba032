#include "train/count_merge.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>

#include "cpu/portions.hpp"
#include "train/count_sort.hpp"

namespace fissile {

namespace {

class ShortSource final : public CountSource {
   public:
    explicit ShortSource(std::span<const CountTable::Short> shorts) : left_(shorts) {}

    bool next() override {
        if (left_.empty()) return false;
        low = left_.front().low;
        high = left_.front().high;
        count = left_.front().count;
        left_ = left_.subspan(1);
        const std::uint64_t words[2] = {big_endian(low), big_endian(high)};
        std::memcpy(bytes_, words, 16);
        pretoken = {bytes_, static_cast<std::size_t>(high & 0xff)};
        return true;
    }

   private:
    std::span<const CountTable::Short> left_;
    std::uint8_t bytes_[16] = {};
};

class MediumSource final : public CountSource {
   public:
    explicit MediumSource(std::span<const CountTable::Medium> mediums) : left_(mediums) {}

    bool next() override {
        if (left_.empty()) return false;
        const CountTable::Medium& entry = left_.front();
        count = entry.count;
        left_ = left_.subspan(1);
        for (std::size_t i = 0; i < 4; ++i) {
            const std::uint64_t word = big_endian(entry.words[i]);
            std::memcpy(bytes_ + 8 * i, &word, sizeof word);
        }
        pretoken = {bytes_, static_cast<std::size_t>(entry.words[3] & 0xff)};
        set_key();
        return true;
    }

   private:
    std::span<const CountTable::Medium> left_;
    std::uint8_t bytes_[32] = {};
};

class LongSource final : public CountSource {
   public:
    explicit LongSource(std::span<const CountTable::Long> longs) : left_(longs) {}

    bool next() override {
        if (left_.empty()) return false;
        pretoken = {left_.front().data, static_cast<std::size_t>(left_.front().n_bytes)};
        count = left_.front().count;
        left_ = left_.subspan(1);
        set_key();
        return true;
    }

   private:
    std::span<const CountTable::Long> left_;
};

class ListSource final : public CountSource {
   public:
    explicit ListSource(const PretokenCounts& counts) : counts_(counts) {}

    bool next() override {
        if (at_ == counts_.size()) return false;
        pretoken = counts_[at_];
        count = counts_.counts[at_++];
        set_key();
        return true;
    }

   private:
    const PretokenCounts& counts_;
    std::size_t at_ = 0;
};

int compare(const CountSource& a, const CountSource& b) noexcept {
    if (a.low != b.low) return a.low < b.low ? -1 : 1;
    if (a.high != b.high) return a.high < b.high ? -1 : 1;
    return (a.high & 0xff) > kMaxInlinePiece ? compare_bytes(a.pretoken, b.pretoken) : 0;
}

// Ranges of a table's entries by their first eight bytes.
template <class Entry, class First>
std::span<const Entry> range_of(std::span<const Entry> sorted, std::uint64_t begin, std::uint64_t last, First first) {
    const auto from =
        std::partition_point(sorted.begin(), sorted.end(), [&](const Entry& e) { return first(e) < begin; });
    const auto to = std::partition_point(from, sorted.end(), [&](const Entry& e) { return first(e) <= last; });
    return {from, to};
}

std::uint64_t first_of(const CountTable::Short& entry) { return entry.low; }
std::uint64_t first_of(const CountTable::Medium& entry) { return entry.words[0]; }
std::uint64_t first_of(const CountTable::Long& entry) { return entry.prefix; }

// Bytes of all of them, or more: memory that is reserved and not written to costs nothing, and growing would copy.
std::size_t most_bytes(const CountTable::Sorted& table) {
    std::size_t n = table.shorts.size() * kMaxInlinePiece + table.mediums.size() * CountTable::kMaxMedium;
    for (const CountTable::Long& entry : table.longs) n += entry.n_bytes;
    return n;
}

PretokenCounts merge_range(const std::vector<CountTable::Sorted>& tables, std::uint64_t begin, std::uint64_t last,
                           Interrupt& interrupt) {
    std::vector<std::unique_ptr<CountSource>> sources;
    PretokenCounts merged;
    std::size_t n_expected = 0, n_bytes = 0;  // at least, and at most
    for (const CountTable::Sorted& table : tables) {
        const auto first = [](const auto& entry) { return first_of(entry); };
        const CountTable::Sorted range{range_of(table.shorts, begin, last, first),
                                       range_of(table.mediums, begin, last, first),
                                       range_of(table.longs, begin, last, first)};
        n_expected = std::max(n_expected, range.size());
        n_bytes += most_bytes(range);
        add_sources(range, sources);
    }
    merged.bytes.reserve(n_bytes);
    merged.ends.reserve(n_expected);
    merged.counts.reserve(n_expected);
    merge_counts(sources, [&](Bytes pretoken, std::uint64_t count) { merged.append(pretoken, count); }, interrupt);
    return merged;
}

void place(const PretokenCounts& part, PretokenCounts& merged) {
    const std::uint64_t base = merged.bytes.size();
    merged.bytes.insert(merged.bytes.end(), part.bytes.begin(), part.bytes.end());
    for (const std::uint64_t end : part.ends) merged.ends.push_back(base + end);
    merged.counts.insert(merged.counts.end(), part.counts.begin(), part.counts.end());
}

}  // namespace

void CountSource::set_key() {
    const std::size_t n = pretoken.size();
    low = big_endian(load_word(pretoken.data(), std::min<std::size_t>(n, 8)));
    high = n <= 8 ? 0 : big_endian(load_word(pretoken.data() + 8, std::min<std::size_t>(n - 8, 7)));
    high |= std::min<std::size_t>(n, kMaxInlinePiece + 1);
}

void add_sources(const CountTable::Sorted& table, std::vector<std::unique_ptr<CountSource>>& sources) {
    if (!table.shorts.empty()) sources.push_back(std::make_unique<ShortSource>(table.shorts));
    if (!table.mediums.empty()) sources.push_back(std::make_unique<MediumSource>(table.mediums));
    if (!table.longs.empty()) sources.push_back(std::make_unique<LongSource>(table.longs));
}
std::unique_ptr<CountSource> source_of(const PretokenCounts& counts) { return std::make_unique<ListSource>(counts); }

std::uint64_t add_counts(std::uint64_t a, std::uint64_t b) {
    if (a > ~b) throw Error("counts go over 64 bits");
    return a + b;
}

void merge_counts(const std::vector<std::unique_ptr<CountSource>>& sources, const EmitCount& emit,
                  Interrupt& interrupt) {
    const auto after = [](const CountSource* a, const CountSource* b) { return compare(*a, *b) > 0; };
    std::vector<CountSource*> heap;
    for (const auto& source : sources) {
        if (source->next()) heap.push_back(source.get());
    }
    std::make_heap(heap.begin(), heap.end(), after);
    const auto take = [&] {
        std::pop_heap(heap.begin(), heap.end(), after);
        CountSource* const source = heap.back();
        heap.pop_back();
        return source;
    };
    const auto go_on = [&](CountSource* source) {
        if (!source->next()) return;
        heap.push_back(source);
        std::push_heap(heap.begin(), heap.end(), after);
    };
    while (!heap.empty()) {
        interrupt.check();
        CountSource* const least = take();
        std::uint64_t count = least->count;
        while (!heap.empty() && compare(*heap.front(), *least) == 0) {
            CountSource* const equal = take();
            count = add_counts(count, equal->count);
            go_on(equal);
        }
        emit(least->pretoken, count);
        go_on(least);
    }
}

PretokenCounts merge_tables(const std::vector<CountTable::Sorted>& tables, unsigned n_threads, Interrupt& interrupt) {
    // Ranges of about equal size, by the first bytes of the entries of the largest table; many, as a few of them are
    // held twice at a time.
    constexpr std::size_t kLeastRange = 4096;
    std::span<const CountTable::Short> largest;
    for (const CountTable::Sorted& table : tables) {
        if (table.shorts.size() > largest.size()) largest = table.shorts;
    }
    const std::size_t n_wanted = std::min<std::size_t>(n_threads * 32, largest.size() / kLeastRange);
    std::vector<std::uint64_t> begins{0};
    for (std::size_t i = 1; i < n_wanted; ++i) {
        const std::uint64_t begin = largest[largest.size() * i / n_wanted].low;
        if (begin > begins.back()) begins.push_back(begin);
    }
    const std::size_t n_ranges = begins.size();
    if (n_ranges == 1) return merge_range(tables, 0, ~std::uint64_t{0}, interrupt);
    // Each is put behind those before it as soon as they are there, and freed, so that little is held twice.
    PretokenCounts merged;
    std::size_t n_bytes = 0, n = 0;
    for (const CountTable::Sorted& table : tables) {
        n_bytes += most_bytes(table);
        n += table.size();
    }
    merged.bytes.reserve(n_bytes);
    merged.ends.reserve(n);
    merged.counts.reserve(n);
    std::vector<std::optional<PretokenCounts>> parts(n_ranges);
    std::size_t n_placed = 0;
    std::mutex placing;
    run_portions(n_ranges, n_threads, interrupt, [&](unsigned, std::size_t i) {
        const std::uint64_t last = i + 1 < n_ranges ? begins[i + 1] - 1 : ~std::uint64_t{0};
        PretokenCounts part = merge_range(tables, begins[i], last, interrupt);
        const std::lock_guard guard(placing);
        parts[i] = std::move(part);
        for (; n_placed < n_ranges && parts[n_placed]; ++n_placed) {
            place(*parts[n_placed], merged);
            parts[n_placed].reset();
        }
    });
    return merged;
}

}  // namespace fissile
