// Encoding with a vocabulary whose last merges join words (SuperBPE: Liu et al. 2025), in two steps.
//
// Its spans are whole clauses, so they hardly come again, no token of it forbids a cut at a space, and merging a clause
// from its bytes on is ten times the work of looking words up. But merges are taken in their order: those that join
// words come after all others, and no other merge takes what they make. So the first step encodes with the merges
// before them alone, whose tokens allow exact cuts at nearly every word, and finds most pieces in the tables of
// SpanEncoder; the second goes on with the ids. Between two ids that no later merge has in its middle nothing joins:
// what is left between such places is mostly one id, or two whose merge is looked up once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base.hpp"
#include "encode/id_sink.hpp"
#include "encode/span_encoder.hpp"
#include "merge/merge_short.hpp"
#include "merge/merge_tree.hpp"
#include "vocab/pair_ranks.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class SuperwordEncoder {
   public:
    // Scratch of one thread.
    class Workspace {
       public:
        SpanEncoder::Workspace spans;

       private:
        friend class SuperwordEncoder;
        SpanIds words;
        std::uint32_t word_ends[SpanEncoder::kSpans];
        // Ids of the first step that wait for the second, and of each the rank of joining it with the next.
        std::vector<TokenId> ids;
        std::vector<std::uint32_t> ranks;
        std::size_t n_whole = 0;  // of ids, those whose run has ended
        std::vector<MergeLane<16>> lanes;
        std::vector<TokenId> run;
        MergeTreeScratch tree;
    };

    // nullptr where merging does not come in two such steps.
    static std::unique_ptr<const SuperwordEncoder> of(const Vocabulary& vocabulary, std::size_t max_cache_bytes);

    // As SpanEncoder::encode_spans, for any number of spans.
    template <class Sink>  // IdArray or IdCounter
    void encode_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans, Workspace& ws,
                      Sink& sink) const;

    std::size_t cache_bytes() const { return words_.cache_bytes(); }

   private:
    SuperwordEncoder(const Vocabulary& vocabulary, std::shared_ptr<const Vocabulary> first_step, PairRanks joins,
                     std::size_t max_cache_bytes);

    void take_words(const std::uint32_t* span_ends, std::size_t n_spans, std::size_t n_words, Workspace& ws) const;
    template <class Sink>
    void join(Workspace& ws, Sink& sink) const;

    const Vocabulary& vocabulary_;
    const MergeKernels& kernels_;
    SpanEncoder words_;
    // Of two ids of the first step: the rank of their merge; inside_, where they meet in the middle of later ones only.
    PairRanks joins_;
    std::uint32_t inside_;
};

}  // namespace fissile
