// One text -> its ids.
//
//   text --special tokens--> plain stretches --pretokenizer or exact cuts--> spans --SpanEncoder--> ids
//
// An Encoder is shared by any number of threads; each brings its own Workspace.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base.hpp"
#include "encode/id_sink.hpp"
#include "encode/span_encoder.hpp"
#include "encode/special_tokens.hpp"
#include "encode/superwords.hpp"
#include "pretokenize/pretokenizer.hpp"
#include "vocab/coarse_cuts.hpp"
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
    SpecialTokens::Wanted disallowed;                  // an error when met
    SpecialTokens::Wanted raw;                         // taken from the text as it is
    SpecialTokens::Wanted normalized;                  // taken from what is left, once normalised
    std::shared_ptr<const SpecialTokens> other_texts;  // no added tokens, an error when met; may be null
    bool any_disallowed = false, any_raw = false, any_normalized = false;
};

// What a caller of the core brings along for tokenizers that ask for more than the core does itself.
struct TextSteps {
    // For each new byte the character (counted, not its offset) of the old text that it stands for.
    using Sources = std::vector<std::int64_t>;
    // Normalises a stretch of text; false: it stays as it is, and nothing was written to. `first`, whether the stretch
    // begins the text, becomes false if the first character is dropped. Sources are asked for where not nullptr.
    using Normalize = std::function<bool(Bytes text, bool& first, std::vector<std::uint8_t>& normalized, Sources*)>;
    // Rewrites a stretch of text and says where its spans end; each is then encoded as the options say.
    using Split = std::function<void(Bytes text, bool first, std::vector<std::uint8_t>& rewritten,
                                     std::vector<std::int64_t>& ends, Sources*)>;
    Normalize normalize;
    Split split;
    // Whether a text may be cut wherever Encoder::can_divide_between allows it, and its parts take these steps alone.
    bool divisible = true;
};

// A text holds a token, or other text, that the caller said must not be there.
class DisallowedSpecial : public Error {
   public:
    explicit DisallowedSpecial(std::string token_text, std::size_t index = 0, std::string place = {});
    const std::string& token() const { return token_; }
    std::size_t index() const { return index_; }         // of the text, among several
    const std::string& place() const { return place_; }  // how to name the text; empty if it is the only one

   private:
    std::string token_;
    std::size_t index_;
    std::string place_;
};

class Encoder {
   public:
    // Scratch of one thread.
    struct Workspace {
        // Of spans that wait, and of pieces of such as are cut before they are looked up: each as far behind as spans
        // wait already.
        std::uint32_t span_ends[SpanEncoder::kSpans], piece_ends[SpanEncoder::kSpans];
        SpanEncoder::Workspace spans;
        std::unique_ptr<SuperwordEncoder::Workspace> superwords;  // made when it is needed
        std::vector<std::uint8_t> prefixed;                       // texts behind a space, of which spans wait
        std::vector<std::uint8_t> normalized;
        std::vector<std::uint8_t> rewritten;
        std::vector<std::int64_t> rewritten_ends;
    };

    Encoder(std::shared_ptr<const Vocabulary> vocabulary, EncoderOptions options, std::vector<AddedToken> added_tokens,
            TextSteps steps = {});

    const Vocabulary& vocabulary() const { return *vocabulary_; }
    const std::shared_ptr<const Vocabulary>& shared_vocabulary() const { return vocabulary_; }
    const SpecialTokens& special_tokens() const { return specials_; }
    const EncoderOptions& options() const { return options_; }
    const TextSteps& steps() const { return steps_; }

    // modes[i] is about special_tokens().tokens()[i]; texts that are none of these, and not empty, can be disallowed.
    SpecialPlan plan(const std::vector<SpecialMode>& modes, const std::vector<std::string>& other_texts = {}) const;

    // Appends the ids of `text` to the sink: IdArray, IdCounter or SpanIds. Throws DisallowedSpecial before anything is
    // appended. `at_start` is false for a part of a text that begins at a division.
    template <class Sink>
    void encode(Bytes text, const SpecialPlan& plan, Workspace& workspace, Sink& sink, bool at_start = true) const;

    // The same for many texts, whose last spans wait in the workspace for those of the next: short texts are encoded
    // together. The sink has all ids after `finish`; a text stays where it is until then. After
    // an error the workspace is of no use.
    template <class Sink>
    void add(Bytes text, const SpecialPlan& plan, Workspace& workspace, Sink& sink, bool at_start = true) const;
    template <class Sink>
    void append(const TokenId* ids, std::size_t n_ids, Workspace& workspace, Sink& sink) const;
    // Has the number of ids written to *n_ids that the sink has by then, at the latest by `finish`.
    template <class Sink>
    void mark(std::int64_t* n_ids, Workspace& workspace, Sink& sink) const;
    template <class Sink>
    void finish(Workspace& workspace, Sink& sink) const;

    // Appends the ids of consecutive pretokens found elsewhere; ends.back() == text.size(). No special tokens.
    void encode_spans(Bytes text, const std::int64_t* ends, std::size_t n_spans, Workspace& workspace,
                      IdArray& sink) const;

    // For token_ranges: throws DisallowedSpecial, and what encode does with a stretch of normalised text without
    // special tokens, before and after TextSteps::split.
    void check_disallowed(Bytes text, const SpecialPlan& plan) const;
    void encode_normalized(Bytes text, bool first, bool ends_text, Workspace& workspace, IdArray& sink) const;
    void encode_rewritten(Bytes span, Workspace& workspace, IdArray& sink) const;

    // Whether a text may be cut between two characters, whatever stands around them: where ends_before_space says, or
    // between a newline and an ASCII letter or digit, if the pattern splits the text on the left as if it ended there;
    // or where no token of the vocabulary holds the two. Never where an added token might lie, nor, if a space goes in
    // front of what follows one, where one might end: what begins at a division is known to go on.
    bool can_divide_between(std::uint32_t left, std::uint32_t right) const;

    std::size_t cache_bytes() const {
        return spans_.cache_bytes() + (superwords_ == nullptr ? 0 : superwords_->cache_bytes());
    }

   private:
    // Spans that are cut exactly before they are looked up. Chinese ones are clauses that never come again, their
    // pieces are characters and words that do; long words of other scripts are better kept whole, and coarse pieces are
    // not.
    enum class CutFirst { kNone, kLongWide, kLong };

    template <class Sink>
    void encode_text(Bytes text, const SpecialPlan& plan, Workspace& ws, Sink& sink, bool at_start) const;
    template <class Sink>
    void encode_raw(Bytes text, const SpecialPlan& plan, bool first, bool goes_on, bool ends_text, Workspace& ws,
                    Sink& sink) const;
    template <class Sink>
    void encode_stretch(Bytes text, bool first, bool goes_on, bool ends_text, Workspace& ws, Sink& sink) const;
    template <class Sink>
    void encode_found(Bytes text, const std::int64_t* ends, std::size_t n_spans, Workspace& ws, Sink& sink) const;
    template <class Sink>
    void encode_plain(Bytes text, Workspace& ws, Sink& sink) const;
    template <class Sink>
    std::size_t spans_waiting(Workspace& ws, Sink& sink) const;
    template <class Sink>
    ScanResult find_spans(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity) const;
    bool is_cut_first(Bytes text, std::size_t begin, std::size_t end) const;
    bool any_is_cut_first(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans) const;
    template <class Sink>
    void look_up(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans, Workspace& ws,
                 Sink& sink) const;
    template <class Sink>
    void look_up_cut(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans, Workspace& ws,
                     Sink& sink) const;

    std::shared_ptr<const Vocabulary> vocabulary_;
    EncoderOptions options_;
    SpecialTokens specials_;
    std::bitset<128 * 128> undivided_;  // by two characters: an added token has them, or ends between them
    TextSteps steps_;
    ScanFunction scan_;
    std::optional<CoarseCuts> coarse_cuts_;  // where the vocabulary cuts
    CutFirst cuts_first_;
    SpanEncoder spans_;
    std::unique_ptr<const SuperwordEncoder> superwords_;  // nullptr: no tokens of several words
};

}  // namespace fissile
