// One text -> its ids.
//
//   text --special tokens--> plain stretches --pretokenizer or exact cuts--> spans --piece table--> ids
//                                                                    miss --exact cuts, merge kernels--> ids,
//                                                                    remembered
//
// An Encoder is shared by any number of threads; each brings its own Workspace.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "encode/id_sink.hpp"
#include "encode/special_tokens.hpp"
#include "merge/long_pieces.hpp"
#include "merge/merge_backtrack.hpp"
#include "merge/merge_queue.hpp"
#include "merge/piece_table.hpp"
#include "pretokenize/pretokenizer.hpp"
#include "vocab/exact_cuts.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

enum class PrefixSpace : std::uint8_t {
    kNever,
    kAlways,       // a space goes before every stretch of text
    kUnlessSpace,  // unless it begins with one
};

struct EncoderOptions {
    // How text falls into spans that merge independently: a published pattern, or wherever the vocabulary allows it.
    bool cut_by_vocabulary = false;  // characters alphabet ("metaspace"): no pretokenizer
    Pattern pattern = Pattern::kNone;
    PrefixSpace prefix_space = PrefixSpace::kNever;
    bool prefix_first_stretch_only = false;
    bool split_before_spaces = false;  // cut_by_vocabulary only
    std::size_t max_cache_bytes = std::size_t{128} << 20;
};

// What a call does with each added token's text.
enum class SpecialMode : std::uint8_t { kIgnored, kTaken, kDisallowed };

// The same, worked out for the three searches that a text goes through; see Encoder::plan.
struct SpecialPlan {
    SpecialTokens::Wanted disallowed;  // an error when met
    SpecialTokens::Wanted raw;         // taken from the text as it is
    SpecialTokens::Wanted normalized;  // taken from what is left, once normalised
    bool any_disallowed = false, any_raw = false, any_normalized = false;
};

// Normalises a text that is not surely normal already; what a caller of the core brings along, as the core has none.
using Normalizer = std::function<void(Bytes text, std::vector<std::uint8_t>& normalized)>;

// A text holds a token that the caller said must not be there.
class DisallowedSpecial : public Error {
   public:
    explicit DisallowedSpecial(std::string token_text);
    const std::string& token() const { return token_; }

   private:
    std::string token_;
};

class Encoder {
   public:
    // Scratch of one thread.
    struct Workspace {
        static constexpr std::size_t kSpans = 256;
        std::uint32_t span_ends[kSpans];
        std::uint32_t piece_ends[kSpans];    // of spans cut before they are looked up
        std::uint32_t unknown_ends[kSpans];  // of one span that was not known
        PieceKey keys[kSpans];
        const PieceTable::Entry* buckets[kSpans];
        std::vector<TokenId> ids;      // of one span
        std::vector<TokenId> symbols;  // of one long piece
        std::vector<std::uint8_t> prefixed;
        std::vector<std::uint8_t> normalized;
        MergeQueueScratch queue;
        BacktrackScratch backtrack;
        Interrupt* interrupt = nullptr;  // looked at between spans, if there is one
    };

    // `to_nfc`, if given, is called for stretches of text that may not be in NFC.
    Encoder(std::shared_ptr<const Vocabulary> vocabulary, EncoderOptions options, std::vector<AddedToken> added_tokens,
            Normalizer to_nfc = {});

    const Vocabulary& vocabulary() const { return *vocabulary_; }
    const std::shared_ptr<const Vocabulary>& shared_vocabulary() const { return vocabulary_; }
    const SpecialTokens& special_tokens() const { return specials_; }
    const EncoderOptions& options() const { return options_; }

    // modes[i] is about special_tokens().tokens()[i].
    SpecialPlan plan(const std::vector<SpecialMode>& modes) const;

    // Appends the ids of `text` to the sink. Throws DisallowedSpecial before anything is appended.
    // `at_start` is false for a part of a text that begins at a division.
    void encode(Bytes text, const SpecialPlan& plan, Workspace& workspace, IdArray& sink, bool at_start = true) const;
    void encode(Bytes text, const SpecialPlan& plan, Workspace& workspace, IdCounter& sink, bool at_start = true) const;
    void encode(Bytes text, const SpecialPlan& plan, Workspace& workspace, SpanIds& sink, bool at_start = true) const;

    // Appends the ids of consecutive pretokens found elsewhere; ends.back() == text.size(). No special tokens.
    void encode_spans(Bytes text, const std::int64_t* ends, std::size_t n_spans, Workspace& workspace,
                      IdArray& sink) const;

    // Whether a text may be cut between two characters, whatever stands around them: before a letter or digit after a
    // newline, which starts a pretoken in every pattern that this returns true for, or where no token of the vocabulary
    // holds the two.
    bool can_divide_between(std::uint32_t left, std::uint32_t right) const;

    std::size_t cache_bytes() const { return table_.n_bytes() + long_pieces_.n_bytes(); }

   private:
    template <class Sink>
    void encode_text(Bytes text, const SpecialPlan& plan, Workspace& ws, Sink& sink, bool at_start) const;
    template <class Sink>
    void encode_raw(Bytes text, const SpecialPlan& plan, bool first, bool ends_text, Workspace& ws, Sink& sink) const;
    template <class Sink>
    void encode_stretch(Bytes text, bool first, bool ends_text, Workspace& ws, Sink& sink) const;
    template <class Sink>
    void encode_plain(Bytes text, Workspace& ws, Sink& sink) const;
    template <class Sink>
    void look_up_cut(Bytes text, std::size_t begin, std::size_t n_spans, Workspace& ws, Sink& sink) const;
    template <class Sink>
    void look_up_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans, Workspace& ws,
                       Sink& sink) const;

    KnownIds find_known(Bytes piece, PieceKey key, TokenId four[kMaxInlineIds]) const;
    void encode_unknown_span(Bytes span, PieceKey key, Workspace& ws) const;
    bool only_whole_span(TokenId id) const;
    bool seen_before(Bytes span) const;
    void remember(Bytes piece, PieceKey key, const TokenId* ids, std::size_t n_ids) const;
    void merge_piece(Bytes piece, Workspace& ws) const;
    std::size_t byte_symbols(Bytes piece, TokenId* symbols, std::uint32_t* ranks) const;
    void char_symbols(Bytes piece, std::vector<TokenId>& symbols) const;
    void seed_tables();
    const TokenTrie& trie() const;

    std::shared_ptr<const Vocabulary> vocabulary_;
    EncoderOptions options_;
    SpecialTokens specials_;
    Normalizer to_nfc_;
    ScanFunction scan_;
    ExactCuts cuts_;
    bool backtracks_;
    bool cuts_long_spans_;
    mutable PieceTable table_;
    mutable LongPieces long_pieces_;
    mutable std::array<std::atomic<std::uint16_t>, 1 << 16> seen_{};
    mutable std::once_flag trie_built_;
    mutable std::unique_ptr<const TokenTrie> trie_;
};

}  // namespace fissile
