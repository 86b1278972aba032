// Many texts, or one very long one, over several threads; the ids depend on the texts alone.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base.hpp"
#include "encode/encoder.hpp"
#include "encode/text_view.hpp"

namespace fissile {

struct BatchOptions {
    unsigned n_threads = 1;
    SpecialPlan plan;
    std::vector<TokenId> before, after;  // put around the ids of every text, such as <s> and </s>
    std::function<bool()> keep_going;    // see cpu/interrupt.hpp; may be empty
};

// Ids of all texts in order, and where each text's begin: n_texts + 1 offsets.
struct BatchIds {
    IdArray ids;
    std::vector<std::int64_t> offsets;
};

// Each throws what encoding the first offending text alone would throw.
BatchIds encode_batch(const Encoder& encoder, const std::vector<TextView>& texts, const BatchOptions& options);
std::vector<std::int64_t> count_batch(const Encoder& encoder, const std::vector<TextView>& texts,
                                      const BatchOptions& options);

// The documents of files in order, each file's cut at every `separator` (which belongs to no document); an empty
// separator makes a file one document. Files are mapped, no document is copied.
BatchIds encode_files(const Encoder& encoder, const std::vector<std::string>& paths, const std::string& separator,
                      const BatchOptions& options);

}  // namespace fissile
