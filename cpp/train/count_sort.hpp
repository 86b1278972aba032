// Sorting records by their first eight bytes, then by whatever else tells them apart.
//
// Most-significant-byte radix sort in place (McIlroy, Bostic, McIlroy: "Engineering Radix Sort", 1993), down to groups
// small enough for a comparison sort; pretokens fall into small groups after three or four bytes, which makes it two to
// three times as fast as comparing from the start.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base.hpp"
#include "cpu/big_endian.hpp"
#include "cpu/interrupt.hpp"

namespace fissile {

// The first eight bytes of at least as many, as a number that orders as they do.
inline std::uint64_t prefix_of(const std::uint8_t* data) noexcept {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    return big_endian(word);
}

inline int compare_bytes(Bytes a, Bytes b) noexcept {
    const std::size_t n = std::min(a.size(), b.size());
    const int order = n == 0 ? 0 : std::memcmp(a.data(), b.data(), n);
    return order != 0 ? order : a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

inline bool less_bytes(Bytes a, Bytes b) noexcept { return compare_bytes(a, b) < 0; }

// Sorts by `less`, which orders by prefix(record) first.
template <class Record, class Prefix, class Less>
void sort_by_prefix(Record* records, std::size_t n, Prefix prefix, Less less, Interrupt& interrupt,
                    unsigned shift = 56) {
    constexpr std::size_t kSmall = 64;
    interrupt.check();
    if (n <= kSmall) {
        std::sort(records, records + n, less);
        return;
    }
    const auto digit = [&](const Record& record) { return static_cast<std::size_t>(prefix(record) >> shift & 0xff); };
    std::size_t n_of[256] = {};
    for (std::size_t i = 0; i < n; ++i) ++n_of[digit(records[i])];
    std::size_t next[256], end[256], sum = 0;
    for (std::size_t d = 0; d < 256; ++d) {
        next[d] = sum;
        sum += n_of[d];
        end[d] = sum;
    }
    for (std::size_t d = 0; d < 256; ++d) {
        while (next[d] != end[d]) {
            Record& record = records[next[d]];
            const std::size_t home = digit(record);
            if (home == d) {
                ++next[d];
            } else {
                std::swap(record, records[next[home]++]);
            }
        }
    }
    for (std::size_t d = 0; d < 256; ++d) {
        if (n_of[d] < 2) continue;
        Record* const group = records + (end[d] - n_of[d]);
        if (shift != 0) {
            sort_by_prefix(group, n_of[d], prefix, less, interrupt, shift - 8);
        } else {
            unsigned n_compared = 0;
            std::sort(group, group + n_of[d], [&](const Record& x, const Record& y) {
                if (++n_compared % 65536 == 0) interrupt.check_now();
                return less(x, y);
            });
        }
    }
}

}  // namespace fissile
