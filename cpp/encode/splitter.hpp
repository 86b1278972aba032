// The seam between encoding and random splitting: a document's canonical ids go in, the ids of another spelling of the
// same bytes come out. The samplers are in stochastic/.
#pragma once

#include <cstdint>
#include <memory>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "encode/id_sink.hpp"

namespace fissile {

// Names the random stream of one document: nothing else has a part in what is drawn for it.
struct DocumentKey {
    std::uint64_t seed = 0;
    std::uint32_t epoch = 0;
    std::uint64_t index = 0;  // below kMaxDocuments
};

inline constexpr std::uint64_t kMaxDocuments = std::uint64_t{1} << 56;

// Canonical ids of one document. A span is what was merged independently: a pretoken, or a special token.
struct SpannedIds {
    const TokenId* ids = nullptr;
    std::size_t n_ids = 0;
    const std::uint32_t* span_ends = nullptr;  // counted in ids; only if the splitter needs_spans()
    std::size_t n_spans = 0;
};

class Splitter {
   public:
    // Memory of one thread, kept from document to document; has no part in what comes out.
    class Scratch {
       public:
        Scratch() = default;
        Scratch(const Scratch&) = delete;
        Scratch& operator=(const Scratch&) = delete;
        virtual ~Scratch() = default;

        Interrupt* interrupt = nullptr;  // looked at now and then, if there is one
    };

    virtual ~Splitter() = default;
    virtual bool needs_spans() const = 0;
    virtual std::unique_ptr<Scratch> make_scratch() const = 0;

    // Appends the document's ids, split, to `out`; and to `parents`, if given, for each of them the place in
    // document.ids of the token that holds its first byte.
    virtual void split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
                       IdArray* parents) const = 0;
};

}  // namespace fissile
