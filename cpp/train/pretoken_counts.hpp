// What counting hands to training: the distinct pretokens of a corpus and how often each occurs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base.hpp"

namespace fissile {

struct PretokenCounts {
    std::vector<std::uint8_t> bytes;    // the pretokens, one after another
    std::vector<std::uint64_t> ends;    // where each ends in `bytes`
    std::vector<std::uint64_t> counts;  // occurrences of each, at least 1

    std::size_t size() const { return ends.size(); }
    Bytes operator[](std::size_t i) const {
        const std::uint64_t begin = i == 0 ? 0 : ends[i - 1];
        return {bytes.data() + begin, static_cast<std::size_t>(ends[i] - begin)};
    }
    void append(Bytes pretoken, std::uint64_t count) {
        bytes.insert(bytes.end(), pretoken.begin(), pretoken.end());
        ends.push_back(bytes.size());
        counts.push_back(count);
    }

    // Of the whole corpus.
    struct Sums {
        std::uint64_t n_pretokens = 0, n_bytes = 0;
        std::size_t longest = 0;  // the first of the longest ones
    };
    Sums sums() const {
        Sums all;
        for (std::size_t i = 0; i < size(); ++i) {
            const std::size_t n = (*this)[i].size();
            all.n_pretokens += counts[i];
            all.n_bytes += n * counts[i];
            if (n > (*this)[all.longest].size()) all.longest = i;
        }
        return all;
    }
};

}  // namespace fissile
