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
#include <optional>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "encode/ascii_symbols.hpp"
#include "encode/id_sink.hpp"
#include "merge/front_kernels.hpp"
#include "merge/front_table.hpp"
#include "merge/long_pieces.hpp"
#include "merge/merge_backtrack.hpp"
#include "merge/merge_short.hpp"
#include "merge/merge_tree.hpp"
#include "merge/merge_windows.hpp"
#include "merge/piece_table.hpp"
#include "vocab/exact_cuts.hpp"
#include "vocab/token_index.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class SpanEncoder {
   public:
    // Spans that are worked on together: the more, the better the wait for the tables of one is filled by others. They
    // may be of many texts.
    static constexpr std::size_t kSpans = 1024;

    // Scratch of one thread.
    class Workspace {
       public:
        Interrupt* interrupt = nullptr;  // looked at now and then, if there is one

        // Spans that wait, of kSpans at most.
        std::size_t n_waiting() const { return n_pieces; }
        // None waits, as after an error.
        void forget() { n_pieces = n_missed = n_long = n_marks = 0; }

       private:
        friend class SpanEncoder;

        // A span that the front table does not hold.
        struct Missed {
            const std::uint8_t* bytes;
            std::size_t n_bytes;
            PieceKey key;
            union {
                const PieceTable::Entry* bucket;
                std::uint64_t hash;  // of a span too long for the piece table
            };

            Bytes span() const { return {bytes, n_bytes}; }
            std::uint64_t hash_of_span() const {
                return n_bytes <= kMaxInlinePiece ? PieceTable::View::hash(key) : hash;
            }
        };
        // The number of ids before a piece, and who wants to know it.
        struct Mark {
            std::size_t piece;
            std::int64_t* n_ids;
        };
        // Unknown pieces that are merged together.
        static constexpr std::size_t kParts = 64, kWideLanes = kWindowLanes;
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
            bool is_span;     // all of it
            bool is_group;    // pieces side by side, each of which is not worth a look
            bool ends_span;
        };

        FrontLease front;
        const FoundPiece* pieces[kSpans];
        // Of spans added together: which of them are missed, and their keys.
        std::uint32_t missed_index[kSpans + FrontKernels::kSpare];
        std::uint64_t missed_low[kSpans + FrontKernels::kSpare], missed_high[kSpans + FrontKernels::kSpare];
        PieceTable::View view;  // that buckets of `missed` are of
        Missed missed[kSpans];
        FoundPiece found[kSpans];  // of each of `missed`
        Mark marks[kSpans];
        // Indexes of `missed`: spans too long for the piece table, spans in neither table, found to go to the front.
        std::uint32_t long_missed[kSpans + 1], unknown[kSpans], to_front[kSpans], short_unknown[kSpans];
        // Ids that FoundPiece::elsewhere counts; or, without an address, at `id_offset` in `ids`.
        KnownIds elsewhere[kSpans];
        std::size_t id_offset[kSpans];
        std::uint32_t piece_ends[kSpans];
        // Of short unknown spans: their keys, and their ids.
        PieceKey short_keys[kSpans];
        MergedKey short_ids[kSpans];
        std::uint8_t n_short_ids[kSpans];
        Part parts[kParts];
        MergeLane<16> lanes[kParts];  // or, where keys tell enough:
        PieceKey lane_keys[kParts];
        MergedKey lane_ids[kParts];
        std::uint8_t n_lane_ids[kParts];
        MergeLane<64> wide_lanes[kWideLanes];
        std::vector<TokenId> ids;      // of unknown spans
        std::vector<TokenId> symbols;  // of one piece
        MergeTreeScratch tree;
        BacktrackScratch backtrack;
        std::size_t n_pieces = 0, n_missed = 0, n_long = 0, n_marks = 0;
        std::size_t n_elsewhere, n_to_front, n_parts, n_wide_parts, n_lanes, n_wide_lanes;
        // Unknown spans that are done, and of the next one where in `ids` it begins, and how many pieces it has so far.
        std::size_t n_finished, first_id, n_span_pieces;
        // Of the sample: pieces that were merged, and that were known from an earlier time.
        std::size_t n_new, n_returned;
        bool pieces_return;  // so they are remembered at first sight
    };

    // `before_spaces`: pieces never go on after a space that follows something else; see ExactCuts.
    SpanEncoder(std::shared_ptr<const Vocabulary> vocabulary, bool before_spaces, std::size_t max_cache_bytes);

    const ExactCuts& cuts() const { return cuts_; }
    const FrontKernels& front_kernels() const { return front_kernels_; }

    // Sinks are IdArray, SpanIds or IdCounter, the same one from the first span that waits until none does.

    // Adds the spans of `text` that begin at `begin` to those that wait; ends[i] is where span i ends. At most kSpans,
    // none of them empty. Where they do not fit, those before them are done first. Text and ends stay until none waits.
    template <class Sink>
    void add_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans, Workspace& ws,
                   Sink& sink) const;
    // Appends the ids of all spans that wait.
    template <class Sink>
    void finish(Workspace& ws, Sink& sink) const;
    // Has the number of ids written to *n_ids that the sink has in front of the next span, once that is known.
    template <class Sink>
    void mark(std::int64_t* n_ids, Workspace& ws, Sink& sink) const;

    template <class Sink>
    void encode_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans, Workspace& ws,
                      Sink& sink) const {
        ws.forget();
        add_spans(text, begin, ends, n_spans, ws, sink);
        finish(ws, sink);
    }

    std::size_t cache_bytes() const { return table_.n_bytes() + long_pieces_.n_bytes(); }

   private:
    template <class Sink>
    void append_pieces(std::size_t begin, std::size_t end, const Workspace& ws, Sink& sink) const;
    void look_up_missed(Workspace& ws) const;
    std::size_t encode_short(std::size_t n_unknown, Workspace& ws) const;
    void encode_unknown(std::size_t n_unknown, Workspace& ws) const;
    void add_piece(Bytes piece, std::size_t n_span_bytes, Workspace& ws) const;
    void add_in_groups(Bytes span, std::size_t begin, std::size_t n_pieces, Workspace& ws) const;
    void add_group(Bytes group, Workspace& ws) const;
    Workspace::Part& add_part(Bytes piece, Workspace& ws) const;
    void plan_part(Workspace::Part& part, Workspace& ws) const;
    void merge_parts(Workspace& ws) const;
    std::size_t merge_two_bytes(Bytes piece, TokenId* ids) const;
    static void begin_span(Workspace& ws);
    void finish_span(Workspace& ws) const;
    static FoundPiece found_elsewhere(KnownIds ids, Workspace& ws);
    KnownIds find_long(Bytes piece, std::uint64_t hash, TokenId four[kMaxInlineIds]) const;
    KnownIds find_known(Bytes piece, PieceKey key, TokenId four[kMaxInlineIds]) const;
    void append_part(const TokenId* ids, std::size_t n_ids, Workspace& ws) const;
    bool is_for_spans(KnownIds known) const;
    void remember(Bytes piece, PieceKey key, const TokenId* ids, std::size_t n_ids, Workspace& ws) const;
    void remember_short(PieceKey key, const TokenId* ids, std::size_t n_ids, Workspace& ws) const;
    void keep(Bytes piece, PieceKey key, const TokenId* ids, std::size_t n_ids) const;
    static std::uint64_t hash_of(Bytes piece, PieceKey key);
    std::atomic<std::uint16_t>& mark_of(std::uint64_t hash) const { return seen_[hash % seen_.size()]; }
    bool seen_before(std::uint64_t hash) const;
    static bool is_sample(PieceKey key);
    void note_returns(std::size_t n_unknown, Workspace& ws) const;
    void settle_returns(Workspace& ws) const;
    void begin_sample(Workspace& ws) const;
    void merge_piece(Bytes piece, Workspace& ws) const;
    template <unsigned kWidth>
    void fill_lane(Bytes piece, MergeLane<kWidth>& lane, Workspace& ws) const;
    void find_symbols(Bytes piece, std::vector<TokenId>& symbols) const;
    void byte_symbols(Bytes piece, std::vector<TokenId>& symbols) const;
    void char_symbols(Bytes piece, std::vector<TokenId>& symbols) const;
    void seed_tables();
    void backtrack(Bytes piece, Workspace& ws) const;

    std::shared_ptr<const Vocabulary> vocabulary_;
    const MergeKernels& kernels_;
    const FrontKernels& front_kernels_;
    ExactCuts cuts_;
    std::optional<const AsciiSymbols> ascii_;  // of an alphabet of characters
    bool bytes_decide_;                        // whether two bytes merge or not, by their ranks alone
    bool keys_decide_;                         // whether any short piece may be merged by its key, uncut
    // By which symbols a short span may be merged so, if it has none of these bits in its key.
    std::optional<ByteSymbols> key_symbols_;
    std::uint64_t no_key_bits_ = 0;
    bool pairs_decide_;  // whether neighbouring tokens tell if a sequence is an encoding; see merge_windows.hpp
    bool ranks_decide_;  // pairs of one rank merge together, before any of a larger one; see merge_by_rank.hpp
    // Longer pieces may have more symbols than a lane, or a wide lane.
    std::size_t max_narrow_bytes_, max_lane_bytes_;
    mutable PieceTable table_;
    mutable LongPieces long_pieces_;
    TokenIndex long_tokens_;
    std::shared_ptr<FrontTables> front_tables_ = std::make_shared<FrontTables>();
    mutable std::array<std::atomic<std::uint16_t>, 1 << 16> seen_{};
    // One piece of so many is of the sample; each that comes again makes up for one that is new, or for so many where
    // merging takes longer; with so many that nothing made up for, pieces are not remembered at first sight.
    static constexpr std::size_t kSampleOneOf = 16, kWorthNew = 3, kManyUnreturned = 512;
    alignas(64) mutable std::atomic<std::size_t> unreturned_{0};
    alignas(64) mutable std::once_flag prefixes_made_;
    mutable std::unique_ptr<const TokenPrefixes> prefixes_;
    mutable std::unique_ptr<CanonicalPairs> canonical_pairs_;
};

}  // namespace fissile
