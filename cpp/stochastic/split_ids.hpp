// Splitting ids that are there already, document by document, over several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "encode/splitter.hpp"
#include "stochastic/stochastok.hpp"

namespace fissile {

struct SplitIdsOptions {
    std::uint64_t seed = 0;
    std::uint32_t epoch = 0;
    std::uint64_t first_index = 0;  // index of document 0
    const double* p = nullptr;      // one p a document
    bool want_parents = false;
    unsigned n_threads = 1;
    std::function<bool()> keep_going;
};

struct SplitIds {
    IdArray ids;
    std::vector<std::int64_t> offsets;  // n_documents + 1
    std::vector<std::int64_t> parents;  // of each id, the place in the input of the one it came from; if wanted
};

// Document i is ids[offsets[i], offsets[i + 1]). Throws Error for an id outside the vocabulary, naming its place.
SplitIds split_ids(const StochasTok& splitter, const TokenId* ids, const std::vector<std::int64_t>& offsets,
                   const SplitIdsOptions& options);

}  // namespace fissile
