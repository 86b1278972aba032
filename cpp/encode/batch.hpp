// Many texts, or one very long one, over several threads; the ids depend on the texts alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base.hpp"
#include "encode/encoder.hpp"
#include "encode/splitter.hpp"
#include "encode/text_view.hpp"

namespace fissile {

// What is done to the ids of each text once it is encoded.
struct Splitting {
    std::shared_ptr<const Splitter> splitter;  // may be null: nothing
    std::uint64_t seed = 0;
    std::uint32_t epoch = 0;
    std::uint64_t first_index = 0;  // index of texts[0] among the documents of the epoch
    bool want_parents = false;
};

struct BatchOptions {
    unsigned n_threads = 1;
    SpecialPlan plan;
    std::vector<TokenId> before, after;  // put around the ids of every text, such as <s> and </s>
    std::vector<TokenId> ending;         // put behind all of that, and after splitting
    // A document may be encoded in several batches, cut where last_division says, unless it is split: whether texts[0]
    // goes on from an earlier batch, and the last text in a later one.
    bool continues_first = false, continues_last = false;
    std::function<bool()> keep_going;  // see cpu/interrupt.hpp; may be empty
    Splitting splitting;
};

// Ids of all texts in order, and where each text's begin: n_texts + 1 offsets.
struct BatchIds {
    IdArray ids;
    std::vector<std::int64_t> offsets;
    // If wanted: of each id, the place of the one it came from in the ids of the same texts without splitting.
    std::vector<std::int64_t> parents;
};

// The last place in a text that goes on where all of it may be cut with the same ids; 0 if there is none.
std::size_t last_division(const Encoder& encoder, Bytes text);

// Texts of bytes cut at every `separator`, which belongs to no part; an empty one cuts nothing.
std::vector<TextView> divided(const std::vector<Bytes>& texts, const std::string& separator);

// Each throws what encoding the first offending text alone would throw.
BatchIds encode_batch(const Encoder& encoder, const std::vector<TextView>& texts, const BatchOptions& options);
std::vector<std::int64_t> count_batch(const Encoder& encoder, const std::vector<TextView>& texts,
                                      const BatchOptions& options);

// The documents of files in order, each file's cut at every `separator` (which belongs to no document); an empty
// separator makes a file one document. Files are mapped, no document is copied.
BatchIds encode_files(const Encoder& encoder, const std::vector<std::string>& paths, const std::string& separator,
                      const BatchOptions& options);

}  // namespace fissile
