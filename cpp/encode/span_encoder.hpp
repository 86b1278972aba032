// Spans -> ids: a pretoken, or a piece of text that was cut where that is exact, becomes the ids that merging gives.
//
//   spans --front table--> --piece table, long pieces--> --exact cuts, merge kernels--> ids, remembered
//
// Spans come by the hundred, and each stage takes all that the one before left over, so that what one span waits for
// (a cache line of a table, the rank of a pair) is fetched while others are worked on.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "encode/id_sink.hpp"
#include "merge/front_table.hpp"
#include "merge/long_pieces.hpp"
#include "merge/merge_backtrack.hpp"
#include "merge/merge_short.hpp"
#include "merge/merge_tree.hpp"
#include "merge/piece_table.hpp"
#include "vocab/exact_cuts.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class SpanEncoder {
   public:
    // Spans a call may bring.
    static constexpr std::size_t kSpans = 256;

    // Scratch of one thread.
    class Workspace {
       public:
        Interrupt* interrupt = nullptr;  // looked at now and then, if there is one

       private:
        friend class SpanEncoder;

        // A span that the front table does not hold.
        struct Missed {
            PieceKey key;
            union {
                const PieceTable::Entry* bucket;
                std::uint64_t hash;  // of a span too long for the piece table
            };
            std::uint32_t begin, n_bytes;
        };
        // Unknown pieces that are merged together.
        static constexpr std::size_t kParts = 64, kWideLanes = 16;
        // A piece of an unknown span: known ids, or those that a lane is to give.
        struct Part {
            enum class Source : std::uint8_t { kKnown, kLane, kWideLane };
            KnownIds known;
            TokenId four[kMaxInlineIds];
            PieceKey key;
            Bytes piece;
            std::uint32_t lane;
            Source source;
            bool remembered;  // once merged
            bool ends_span;
        };

        FrontLease front;
        const FoundPiece* pieces[kSpans];
        std::uint32_t missed_index[kSpans];
        Missed missed[kSpans];
        FoundPiece found[kSpans];  // of each of `missed`
        // Indexes of `missed`: spans too long for the piece table, spans in neither table, found to go to the front.
        std::uint32_t long_missed[kSpans + 1], unknown[kSpans], to_front[kSpans];
        // Ids that FoundPiece::elsewhere counts; or, without an address, at `id_offset` in `ids`.
        KnownIds elsewhere[kSpans];
        std::size_t id_offset[kSpans];
        std::uint32_t piece_ends[kSpans];
        Part parts[kParts];
        MergeLane<16> lanes[kParts];
        MergeLane<64> wide_lanes[kWideLanes];
        std::vector<TokenId> ids;      // of unknown spans
        std::vector<TokenId> symbols;  // of one piece
        MergeTreeScratch tree;
        BacktrackScratch backtrack;
        std::size_t n_elsewhere, n_to_front, n_parts, n_lanes, n_wide_lanes;
    };

    // `before_spaces`: pieces never go on after a space that follows something else; see ExactCuts.
    SpanEncoder(std::shared_ptr<const Vocabulary> vocabulary, bool before_spaces, std::size_t max_cache_bytes);

    const ExactCuts& cuts() const { return cuts_; }

    // Appends the ids of the spans of `text` that begin at `begin`; ends[i] is where span i ends. At most kSpans, none
    // of them empty.
    template <class Sink>  // IdArray, SpanIds or IdCounter
    void encode_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans, Workspace& ws,
                      Sink& sink) const;

    std::size_t cache_bytes() const { return table_.n_bytes() + long_pieces_.n_bytes(); }

   private:
    void look_up_missed(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_missed,
                        Workspace& ws) const;
    void encode_unknown(Bytes text, std::size_t n_unknown, Workspace& ws) const;
    void encode_long_unknown(Bytes text, std::uint32_t missed, Workspace& ws) const;
    void plan_part(Bytes piece, bool whole_span, Workspace& ws) const;
    void merge_parts(Bytes text, const std::uint32_t* unknown, Workspace& ws) const;
    void finish_unknown(Bytes span, std::uint32_t missed, std::size_t n_pieces, std::size_t first_id,
                        Workspace& ws) const;
    static FoundPiece found_elsewhere(KnownIds ids, Workspace& ws);
    KnownIds find_known(Bytes piece, PieceKey key, TokenId four[kMaxInlineIds]) const;
    void append_part(const TokenId* ids, std::size_t n_ids, std::size_t first_id, Workspace& ws) const;
    bool only_whole_span(TokenId id) const;
    bool seen_before(Bytes span) const;
    void remember(Bytes piece, PieceKey key, const TokenId* ids, std::size_t n_ids) const;
    void merge_piece(Bytes piece, Workspace& ws) const;
    template <unsigned kWidth>
    void fill_lane(Bytes piece, MergeLane<kWidth>& lane, Workspace& ws) const;
    void find_symbols(Bytes piece, std::vector<TokenId>& symbols) const;
    void byte_symbols(Bytes piece, std::vector<TokenId>& symbols) const;
    void char_symbols(Bytes piece, std::vector<TokenId>& symbols) const;
    void seed_tables();
    const TokenTrie& trie() const;

    std::shared_ptr<const Vocabulary> vocabulary_;
    const MergeKernels& kernels_;
    ExactCuts cuts_;
    bool backtracks_;
    // Longer pieces may have more symbols than a lane, or a wide lane.
    std::size_t max_narrow_bytes_, max_lane_bytes_;
    mutable PieceTable table_;
    mutable LongPieces long_pieces_;
    std::shared_ptr<FrontTables> front_tables_ = std::make_shared<FrontTables>();
    mutable std::array<std::atomic<std::uint16_t>, 1 << 16> seen_{};
    mutable std::once_flag trie_built_;
    mutable std::unique_ptr<const TokenTrie> trie_;
};

}  // namespace fissile
