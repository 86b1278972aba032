// What a run of the merge loop gave, and what a reader of training's report wants to know of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

struct TrainedStage {
    std::uint64_t n_tokens = 0;          // before it
    std::vector<std::uint64_t> initial;  // occurrences of each token before it
    std::vector<Merge> merges;
    std::vector<std::uint64_t> counts, joined;  // of each merge, as in TrainResult

    // Merges of an earlier run, from which this one went on, become the first of this one.
    void put_before(std::uint64_t n_tokens_then, const std::vector<Merge>& earlier,
                    const std::vector<std::uint64_t>& earlier_counts, const std::vector<std::uint64_t>& earlier_joined);
};

struct StageReport {
    std::vector<std::uint64_t> occurrences;  // of each token after the stage
    std::vector<TokenId> unused;             // those that occur nowhere
    std::vector<TokenId> longest;            // longest first, of equally long ones the first
    // Sizes of the vocabulary, the powers of two and the last, and how many bytes of the corpus there were a token
    // then.
    std::vector<std::pair<std::uint64_t, double>> curve;
};

// Places of the first n of some merges that no sequence needed, where tokens occur so often: a token that occurs has
// needed the merges that its parts came from.
std::vector<std::size_t> unneeded_merges(const std::vector<Merge>& merges, std::size_t n,
                                         const std::vector<std::uint64_t>& occurrences);

// `lengths` are the bytes of each token; 0: merging never makes it, and nothing is said of it.
StageReport report_on(const TrainedStage& stage, const std::vector<std::uint32_t>& lengths, std::uint64_t n_bytes,
                      std::size_t n_longest);

}  // namespace fissile
