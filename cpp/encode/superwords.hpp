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
#include "merge/merge_short.hpp"
#include "merge/merge_tree.hpp"
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
        std::uint32_t word_ends[SpanEncoder::kSpans];
        std::uint32_t piece_ends[SpanEncoder::kSpans];   // of words, those too long for the piece table in parts
        std::uint32_t last_pieces[SpanEncoder::kSpans];  // of each span that ended: its last piece
        std::size_t n_ended = 0;
        // Ids of the first step that wait for the second; of those with a neighbour, a bit each: whether they may join
        // with it.
        SpanIds ids;
        std::vector<std::uint64_t> joins;
        // What the second step takes away: those that joined with the one before.
        std::vector<std::uint64_t> gone;
        std::vector<std::uint32_t> pairs, runs;  // where runs of two ids, and of more, begin
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
    // Which ids of the first step may join: a set of pairs of which a bit each is kept, so that it fits the inner
    // cache. A few others are taken for them, and are found out when their rank is looked up.
    class PairFilter {
       public:
        explicit PairFilter(std::size_t n_pairs);
        void insert(TokenId left, TokenId right) noexcept;
        bool may_hold(TokenId left, TokenId right) const noexcept {
            const std::uint32_t h = hash(left, right);
            return (words_[h >> 5] >> (h & 31) & 1) != 0;
        }

       private:
        std::uint32_t hash(TokenId left, TokenId right) const noexcept {
            return (left * 0x9e3779b1u + right * 0x85ebca77u) >> shift_;
        }
        std::vector<std::uint32_t> words_;
        unsigned shift_;
    };

    SuperwordEncoder(const Vocabulary& vocabulary, std::shared_ptr<const Vocabulary> first_step, PairFilter filter,
                     PairRanks later, std::size_t max_cache_bytes);

    void encode_words(Bytes text, std::size_t begin, std::size_t n_words, Workspace& ws) const;
    std::size_t find_runs(std::size_t n_before, bool at_end, Workspace& ws) const;
    void join_pairs(Workspace& ws) const;
    void join_runs(Workspace& ws) const;
    static std::size_t take_out_gone(std::size_t n, Workspace& ws);
    static void wait_for_more(std::size_t n_whole, Workspace& ws);

    const Vocabulary& vocabulary_;
    const MergeKernels& kernels_;
    SpanEncoder words_;
    CoarseCuts cuts_;
    PairFilter filter_;
    PairRanks later_;  // the merges of the second step
};

}  // namespace fissile
