// Encoding with a vocabulary whose last merges join words (SuperBPE: Liu et al. 2025), in two steps.
//
// Its spans are whole clauses, so they hardly come again, no token of it forbids a cut at a space, and merging a clause
// from its bytes on is ten times the work of looking words up. But merges are taken in their order: those that join
// words come after all others, and no other merge takes what they make. So the first step encodes with the merges
// before them alone, whose tokens allow exact cuts at nearly every word, and finds most pieces in the tables of
// SpanEncoder; the second goes on with the ids. Between two ids that no later merge has in its middle nothing joins:
// what is left between such places, a run, is mostly one id, or two whose merge is looked up once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base.hpp"
#include "encode/id_sink.hpp"
#include "encode/span_encoder.hpp"
#include "merge/join_kernels.hpp"
#include "merge/merge_short.hpp"
#include "merge/merge_tree.hpp"
#include "merge/piece_table.hpp"
#include "vocab/coarse_cuts.hpp"
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

        // Calls of the first step before the second takes their ids.
        static constexpr std::size_t kRounds = 8;

        // Three ids that may join, and more than three, or three that are not known.
        struct Triple {
            PieceKey key;
            const PieceTable::Entry* bucket;
            std::uint32_t begin;
        };
        struct Run {
            std::uint32_t begin, size;
        };

        std::uint32_t word_ends[SpanEncoder::kSpans];
        std::uint32_t piece_ends[SpanEncoder::kSpans];  // of words, those too long for the piece table in parts
        std::uint32_t last_pieces[kRounds * SpanEncoder::kSpans];  // of each span that ended: its last piece
        std::size_t n_ended = 0;
        // Ids of the first step that wait for the second. Of each a bit: whether it may join with the next one, whether
        // their rank is wanted, whether they have one, and whether it was joined with the one before. And that rank.
        SpanIds ids;
        std::vector<std::uint64_t> joins, wanted, ranked, gone;
        std::vector<std::uint32_t> ranks;
        std::vector<Triple> triples;
        std::vector<Run> runs;
        std::size_t n_triples = 0, n_runs = 0;
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

    std::size_t cache_bytes() const { return words_.cache_bytes() + triples_.n_bytes(); }

   private:
    SuperwordEncoder(const Vocabulary& vocabulary, std::shared_ptr<const Vocabulary> first_step, PairFilter filter,
                     PairRanks later, std::size_t max_cache_bytes);

    void encode_words(Bytes text, std::size_t begin, std::size_t n_words, std::size_t ended, Workspace& ws) const;
    std::size_t find_joins(std::size_t n_before, bool at_end, Workspace& ws) const;
    void divide(std::size_t n, Workspace& ws) const;
    void look_up_triples(Workspace& ws) const;
    void join_pairs(std::size_t n, Workspace& ws) const;
    void join_runs(Workspace& ws) const;
    static void wait_for_more(std::size_t n_whole, Workspace& ws);

    const Vocabulary& vocabulary_;
    const MergeKernels& merges_;
    const JoinKernels& kernels_;
    SpanEncoder words_;
    CoarseCuts cuts_;
    PairFilter filter_;
    PairRanks later_;  // the merges of the second step
    // Runs of three that were joined already, their ids as pieces of nine bytes. Longer ones hardly come again.
    mutable PieceTable triples_;
};

}  // namespace fissile
