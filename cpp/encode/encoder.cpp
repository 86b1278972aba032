#include "encode/encoder.hpp"

#include <algorithm>
#include <bit>

#include "text/unicode_class.hpp"

namespace fissile {

namespace {

// Texts are handed to scanners in parts below 4 GiB.
constexpr std::size_t kMaxStretch = std::size_t{1} << 31;
// Bytes of short texts that are copied and wait together.
constexpr std::size_t kKeptText = std::size_t{64} << 10;
// Room for fewer spans than this, and those that wait are done first.
constexpr std::size_t kFewSpans = 128;

// Whether a span begins with a character of three bytes or more, or with one byte in front of such: a script that is
// mostly written without spaces. The span has two bytes or more.
bool begins_wide(Bytes text, std::size_t begin) { return text[begin] >= 0xe0 || text[begin + 1] >= 0xe0; }

// Unknown characters that fuse have to be seen side by side, so such a vocabulary gets its text whole and cuts it
// inside (encode_unknown_span).
bool fuses_unknown_characters(const Vocabulary& vocabulary) {
    const ModelOptions& options = vocabulary.options();
    if (!options.fuse_unk || options.unk == kNoToken) return false;
    for (unsigned byte = 0; byte < 256 && options.byte_fallback; ++byte) {
        if (vocabulary.fallback_symbol(static_cast<std::uint8_t>(byte)) == kNoToken) return true;
    }
    return !options.byte_fallback;
}

// nullptr: cut wherever the vocabulary allows.
ScanFunction scanner(const EncoderOptions& options, const Vocabulary& vocabulary) {
    if (!options.cut_by_vocabulary) return scanner_for(options.pattern);
    return fuses_unknown_characters(vocabulary) ? scanner_for(Pattern::kNone) : nullptr;
}

// Whether cutting a long span before it is looked up whole gives the same ids: no token that only a whole span can be,
// no unknown bytes that fuse across a cut.
bool may_cut_first(const Vocabulary& vocabulary) {
    const ModelOptions& options = vocabulary.options();
    if (!vocabulary.has_all_bytes() && fuses_unknown_characters(vocabulary)) return false;
    for (TokenId id = 0; options.ignore_merges && id < vocabulary.n_vocab(); ++id) {
        if (vocabulary.is_model(id) && !vocabulary.is_reachable(id)) return false;
    }
    return true;
}

// Throws for the leftmost of a token that was found in a text and other texts that are in it, of those that begin at
// one place the longest. Most texts hold neither, and do not come here.
void refuse_first(Bytes text, const SpecialTokens& tokens, const SpecialTokens::Match& token,
                  const SpecialTokens* other_texts) {
    const auto content = [](const SpecialTokens& of, const SpecialTokens::Match& match) -> const std::string* {
        return match.token == SpecialTokens::npos ? nullptr : &of.tokens()[match.token].content;
    };
    const std::string* found = content(tokens, token);
    if (other_texts != nullptr) {
        const SpecialTokens::Match match =
            other_texts->first(text, SpecialTokens::Wanted(other_texts->tokens().size(), 1));
        const std::string* const other = content(*other_texts, match);
        if (other != nullptr && found != nullptr) {
            const std::size_t at = token.content_end - found->size(), other_at = match.content_end - other->size();
            if (other_at < at || (other_at == at && other->size() > found->size())) found = other;
        } else if (other != nullptr) {
            found = other;
        }
    }
    if (found != nullptr) throw DisallowedSpecial(*found);
}

bool is_word(std::uint32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

DisallowedSpecial::DisallowedSpecial(std::string token_text, std::size_t index, std::string place)
    : Error("text holds the special token " + token_text),
      token_(std::move(token_text)),
      index_(index),
      place_(std::move(place)) {}

Encoder::Encoder(std::shared_ptr<const Vocabulary> vocabulary, EncoderOptions options,
                 std::vector<AddedToken> added_tokens, TextSteps steps)
    : vocabulary_(std::move(vocabulary)),
      options_(options),
      specials_(std::move(added_tokens)),
      steps_(std::move(steps)),
      scan_(scanner(options, *vocabulary_)),
      cuts_first_(!options.cut_by_vocabulary && may_cut_first(*vocabulary_) ? CutFirst::kLongWide : CutFirst::kNone),
      spans_(vocabulary_, options.split_before_spaces, options.max_cache_bytes) {
    const bool spaces_behind_tokens = options.prefix_space != PrefixSpace::kNever && !options.prefix_first_stretch_only;
    for (const AddedToken& token : specials_.tokens()) {
        const Bytes text = as_bytes(token.content);
        for (std::size_t i = 1; i < text.size(); ++i) {
            if (text[i - 1] < 0x80 && text[i] < 0x80) undivided_.set(text[i - 1] * 128u + text[i]);
        }
        for (std::size_t right = 0; right < 128 && spaces_behind_tokens && text.back() < 0x80; ++right) {
            undivided_.set(text.back() * 128u + right);
        }
    }
    // Other patterns end their spans where words do.
    const bool long_spans = options.pattern == Pattern::kSuperbpe || options.pattern == Pattern::kNone;
    if (scan_ == nullptr && may_cut_first(*vocabulary_) && !spans_.cuts().cuts_nowhere()) {
        coarse_cuts_.emplace(*vocabulary_, options.split_before_spaces);
        cuts_first_ = CutFirst::kLong;
    }
    if (long_spans && !options.cut_by_vocabulary)
        superwords_ = SuperwordEncoder::of(*vocabulary_, options.max_cache_bytes);
}

SpecialPlan Encoder::plan(const std::vector<SpecialMode>& modes, const std::vector<std::string>& other_texts) const {
    SpecialPlan plan;
    if (!other_texts.empty()) {
        std::vector<AddedToken> tokens;
        for (const std::string& text : other_texts) tokens.push_back({text, kNoToken, 0});
        plan.other_texts = std::make_shared<const SpecialTokens>(std::move(tokens));
        plan.any_disallowed = true;
    }
    for (std::size_t i = 0; i < modes.size(); ++i) {
        const bool normalized = (specials_.tokens()[i].flags & kTokenNormalized) != 0;
        plan.disallowed.push_back(modes[i] == SpecialMode::kDisallowed);
        plan.raw.push_back(modes[i] == SpecialMode::kTaken && !normalized);
        plan.normalized.push_back(modes[i] == SpecialMode::kTaken && normalized);
        plan.any_disallowed |= plan.disallowed.back() != 0;
        plan.any_raw |= plan.raw.back() != 0;
        plan.any_normalized |= plan.normalized.back() != 0;
    }
    return plan;
}

template <class Sink>
void Encoder::encode(Bytes text, const SpecialPlan& plan, Workspace& workspace, Sink& sink, bool at_start) const {
    workspace.spans.forget();
    encode_text(text, plan, workspace, sink, at_start);
    spans_.finish(workspace.spans, sink);
}

template void Encoder::encode(Bytes, const SpecialPlan&, Workspace&, IdArray&, bool) const;
template void Encoder::encode(Bytes, const SpecialPlan&, Workspace&, IdCounter&, bool) const;
template void Encoder::encode(Bytes, const SpecialPlan&, Workspace&, SpanIds&, bool) const;

template <class Sink>
void Encoder::add(Bytes text, const SpecialPlan& plan, Workspace& workspace, Sink& sink, bool at_start) const {
    encode_text(text, plan, workspace, sink, at_start);
}

template void Encoder::add(Bytes, const SpecialPlan&, Workspace&, IdArray&, bool) const;
template void Encoder::add(Bytes, const SpecialPlan&, Workspace&, IdCounter&, bool) const;
template void Encoder::add(Bytes, const SpecialPlan&, Workspace&, SpanIds&, bool) const;

template <class Sink>
void Encoder::finish(Workspace& workspace, Sink& sink) const {
    spans_.finish(workspace.spans, sink);
}

template void Encoder::finish(Workspace&, IdArray&) const;
template void Encoder::finish(Workspace&, IdCounter&) const;
template void Encoder::finish(Workspace&, SpanIds&) const;

template <class Sink>
void Encoder::mark(std::int64_t* n_ids, Workspace& workspace, Sink& sink) const {
    spans_.mark(n_ids, workspace.spans, sink);
}

template void Encoder::mark(std::int64_t*, Workspace&, IdArray&) const;
template void Encoder::mark(std::int64_t*, Workspace&, IdCounter&) const;
template void Encoder::mark(std::int64_t*, Workspace&, SpanIds&) const;

template <class Sink>
void Encoder::append(const TokenId* ids, std::size_t n_ids, Workspace& workspace, Sink& sink) const {
    if (n_ids == 0) return;
    spans_.finish(workspace.spans, sink);
    sink.append(ids, n_ids);
}

template void Encoder::append(const TokenId*, std::size_t, Workspace&, IdArray&) const;
template void Encoder::append(const TokenId*, std::size_t, Workspace&, IdCounter&) const;
template void Encoder::append(const TokenId*, std::size_t, Workspace&, SpanIds&) const;

template <class Sink>
void Encoder::encode_text(Bytes text, const SpecialPlan& plan, Workspace& ws, Sink& sink, bool at_start) const {
    check_disallowed(text, plan);
    if (!plan.any_raw) {
        encode_raw(text, plan, at_start, !at_start, true, ws, sink);
        return;
    }
    std::size_t position = 0;
    for (SpecialTokens::Match match = specials_.first(text, plan.raw);; match = specials_.next(text, match, plan.raw)) {
        encode_raw(text.subspan(position, match.begin - position), plan, at_start && position == 0,
                   !at_start && position == 0, match.token == SpecialTokens::npos, ws, sink);
        if (match.token == SpecialTokens::npos) return;
        append(&specials_.tokens()[match.token].id, 1, ws, sink);
        position = match.end;
    }
}

// Text between tokens that are found in raw text: normalised, then searched for the others.
template <class Sink>
void Encoder::encode_raw(Bytes text, const SpecialPlan& plan, bool first, bool goes_on, bool ends_text, Workspace& ws,
                         Sink& sink) const {
    if (steps_.normalize && !text.empty()) {
        spans_.finish(ws.spans, sink);  // they may be of ws.normalized
        if (steps_.normalize(text, first, ws.normalized, nullptr)) text = ws.normalized;
    }
    if (!plan.any_normalized) {
        encode_stretch(text, first, goes_on, ends_text, ws, sink);
        return;
    }
    std::size_t position = 0;
    for (SpecialTokens::Match match = specials_.first(text, plan.normalized);;
         match = specials_.next(text, match, plan.normalized)) {
        encode_stretch(text.subspan(position, match.begin - position), first && position == 0, goes_on && position == 0,
                       ends_text && match.token == SpecialTokens::npos, ws, sink);
        if (match.token == SpecialTokens::npos) return;
        append(&specials_.tokens()[match.token].id, 1, ws, sink);
        position = match.end;
    }
}

// A stretch of text without special tokens in it, or what is left of one that goes on at a division.
template <class Sink>
void Encoder::encode_stretch(Bytes text, bool first, bool goes_on, bool ends_text, Workspace& ws, Sink& sink) const {
    // Where only the text's beginning gets a space, it gets it also in front of a token found there.
    const bool lone_prefix = text.empty() && first && !ends_text && options_.prefix_first_stretch_only &&
                             options_.prefix_space == PrefixSpace::kAlways;
    if (text.empty() && !lone_prefix) return;
    if (steps_.split) {
        spans_.finish(ws.spans, sink);
        steps_.split(text, first, ws.rewritten, ws.rewritten_ends, nullptr);
        if (!options_.cut_by_vocabulary && options_.pattern == Pattern::kNone) {
            encode_found(ws.rewritten, ws.rewritten_ends.data(), ws.rewritten_ends.size(), ws, sink);
            return;
        }
        std::size_t begin = 0;
        for (const std::int64_t end : ws.rewritten_ends) {
            encode_plain(Bytes(ws.rewritten).subspan(begin, static_cast<std::size_t>(end) - begin), ws, sink);
            begin = static_cast<std::size_t>(end);
        }
        return;
    }
    const bool starts_with_space =
        !text.empty() && (text[0] == ' ' || (options_.cut_by_vocabulary && text.size() >= 3 && text[0] == 0xe2 &&
                                             text[1] == 0x96 && text[2] == 0x81));
    const bool prefix = options_.prefix_space == PrefixSpace::kAlways ||
                        (options_.prefix_space == PrefixSpace::kUnlessSpace && !starts_with_space);
    if (!prefix || goes_on || (options_.prefix_first_stretch_only && !first)) {
        encode_plain(text, ws, sink);
        return;
    }
    if (ws.spans.n_waiting() == 0) ws.prefixed.clear();
    if (ws.prefixed.capacity() - ws.prefixed.size() <= text.size()) {
        spans_.finish(ws.spans, sink);  // they may be of what is there
        ws.prefixed.clear();
        ws.prefixed.reserve(std::max(text.size() + 1, kKeptText));
    }
    const std::size_t begin = ws.prefixed.size();
    ws.prefixed.push_back(' ');
    ws.prefixed.insert(ws.prefixed.end(), text.begin(), text.end());
    encode_plain(Bytes(ws.prefixed).subspan(begin), ws, sink);
}

template <class Sink>
void Encoder::encode_plain(Bytes text, Workspace& ws, Sink& sink) const {
    if (text.size() > kMaxStretch) {
        throw Error("text has " + std::to_string(text.size()) + " bytes without a special token; 2 GiB is the most");
    }
    for (std::size_t position = 0; position < text.size();) {
        if (ws.spans.interrupt != nullptr) ws.spans.interrupt->check();
        std::uint32_t* const ends = ws.span_ends + spans_waiting(ws, sink);
        const ScanResult scanned =
            find_spans<Sink>(text, position, ends, static_cast<std::size_t>(ws.span_ends + SpanEncoder::kSpans - ends));
        if (!Sink::kWholeSpans && superwords_ == nullptr && cuts_first_ != CutFirst::kNone &&
            any_is_cut_first(text, position, ends, scanned.n_spans)) {
            look_up_cut(text, position, ends, scanned.n_spans, ws, sink);
        } else {
            look_up(text, position, ends, scanned.n_spans, ws, sink);
        }
        position = scanned.position;
    }
}

// How many spans wait; if there is little room for more, they are done first.
template <class Sink>
std::size_t Encoder::spans_waiting(Workspace& ws, Sink& sink) const {
    if (ws.spans.n_waiting() > SpanEncoder::kSpans - kFewSpans) spans_.finish(ws.spans, sink);
    return ws.spans.n_waiting();
}

// Spans from `position` on. Where the vocabulary cuts, what is drawn at random goes by the exact pieces, and all else
// by coarse ones.
template <class Sink>
ScanResult Encoder::find_spans(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity) const {
    if (scan_ != nullptr) return scan_(text, position, ends, capacity);
    if (Sink::kWholeSpans || !coarse_cuts_) return spans_.cuts().cut(text, position, ends, capacity);
    return coarse_cuts_->cut(text, position, ends, capacity);
}

// Whether a span is cut exactly before it is looked up.
bool Encoder::is_cut_first(Bytes text, std::size_t begin, std::size_t end) const {
    return end - begin > kMaxInlinePiece && (cuts_first_ == CutFirst::kLong || begins_wide(text, begin));
}

bool Encoder::any_is_cut_first(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans) const {
    for (std::size_t i = 0; i < n_spans; i += 64) {
        const std::size_t n = std::min<std::size_t>(n_spans - i, 64);
        for (std::uint64_t left = spans_.front_kernels().too_long(begin, ends + i, n); left != 0; left &= left - 1) {
            const std::size_t k = i + static_cast<std::size_t>(std::countr_zero(left));
            if (is_cut_first(text, k == i ? begin : ends[k - 1], ends[k])) return true;
        }
        begin = ends[i + n - 1];
    }
    return false;
}

template <class Sink>
void Encoder::look_up(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans, Workspace& ws,
                      Sink& sink) const {
    if constexpr (!Sink::kWholeSpans) {
        if (superwords_ != nullptr) {
            if (ws.superwords == nullptr) ws.superwords = std::make_unique<SuperwordEncoder::Workspace>();
            ws.superwords->spans.interrupt = ws.spans.interrupt;
            superwords_->encode_spans(text, begin, ends, n_spans, *ws.superwords, sink);
            return;
        }
    }
    spans_.add_spans(text, begin, ends, n_spans, ws.spans, sink);
}

// Spans of which some are too long for the table: where that is better they are cut first, and their pieces looked up
// with the rest.
template <class Sink>
void Encoder::look_up_cut(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans, Workspace& ws,
                          Sink& sink) const {
    std::size_t start = begin;  // of what has not been looked up
    std::size_t at = begin;     // of what has not been cut
    std::uint32_t* pieces = ws.piece_ends + spans_waiting(ws, sink);
    std::size_t n = 0;
    for (std::size_t i = 0; i < n_spans;) {
        const std::size_t end = ends[i], room = static_cast<std::size_t>(ws.piece_ends + SpanEncoder::kSpans - pieces);
        if (is_cut_first(text, at, end)) {
            const ScanResult cut = spans_.cuts().cut(text.first(end), at, pieces + n, room - n);
            n += cut.n_spans;
            at = cut.position;
        } else {
            pieces[n++] = static_cast<std::uint32_t>(end);
            at = end;
        }
        i += at == end;
        if (n == room || i == n_spans) {
            spans_.add_spans(text, start, pieces, n, ws.spans, sink);
            pieces = ws.piece_ends + spans_waiting(ws, sink);
            start = at;
            n = 0;
        }
    }
}

void Encoder::encode_spans(Bytes text, const std::int64_t* ends, std::size_t n_spans, Workspace& ws,
                           IdArray& sink) const {
    ws.spans.forget();
    encode_found(text, ends, n_spans, ws, sink);
    spans_.finish(ws.spans, sink);
}

template <class Sink>
void Encoder::encode_found(Bytes text, const std::int64_t* ends, std::size_t n_spans, Workspace& ws, Sink& sink) const {
    if (text.size() > kMaxStretch) throw Error("text has " + std::to_string(text.size()) + " bytes; 2 GiB is the most");
    std::size_t begin = 0;
    for (std::size_t i = 0; i < n_spans;) {
        const std::size_t n_waiting = spans_waiting(ws, sink);
        std::uint32_t* const found = ws.span_ends + n_waiting;
        std::size_t n = 0;
        for (std::size_t end = begin; i < n_spans && n_waiting + n < SpanEncoder::kSpans; ++i) {
            if (static_cast<std::size_t>(ends[i]) == end) continue;  // empty
            end = static_cast<std::size_t>(ends[i]);
            found[n++] = static_cast<std::uint32_t>(end);
        }
        if (n == 0) return;
        if (ws.spans.interrupt != nullptr) ws.spans.interrupt->check();
        look_up(text, begin, found, n, ws, sink);
        begin = found[n - 1];
    }
}

void Encoder::check_disallowed(Bytes text, const SpecialPlan& plan) const {
    if (!plan.any_disallowed) return;
    const SpecialTokens::Match match = specials_.first(text, plan.disallowed);
    if (match.token == SpecialTokens::npos && !plan.other_texts) return;
    refuse_first(text, specials_, match, plan.other_texts.get());
}

void Encoder::encode_normalized(Bytes text, bool first, bool ends_text, Workspace& ws, IdArray& sink) const {
    ws.spans.forget();
    encode_stretch(text, first, false, ends_text, ws, sink);
    spans_.finish(ws.spans, sink);
}

void Encoder::encode_rewritten(Bytes span, Workspace& ws, IdArray& sink) const {
    ws.spans.forget();
    encode_plain(span, ws, sink);
    spans_.finish(ws.spans, sink);
}

bool Encoder::can_divide_between(std::uint32_t left, std::uint32_t right) const {
    if (left >= 0x80 || right >= 0x80 || !steps_.divisible || undivided_[left * 128 + right]) return false;
    if (options_.cut_by_vocabulary) {
        const std::uint8_t pair[2] = {static_cast<std::uint8_t>(left), static_cast<std::uint8_t>(right)};
        std::uint32_t ends[2];
        return scan_ == nullptr && spans_.cuts().cut(pair, 0, ends, 2).n_spans == 2;
    }
    if ((right == ' ' || right == '\n') && (char_flags(left) & ends_before_space(options_.pattern)) != 0) return true;
    // In gpt2 and starcoder a letter behind white space changes how that is split, and superbpe joins words.
    const bool lines_end = options_.pattern != Pattern::kNone && options_.pattern != Pattern::kSuperbpe &&
                           options_.pattern != Pattern::kGpt2 && options_.pattern != Pattern::kStarcoder;
    return lines_end && left == '\n' && is_word(right);
}

}  // namespace fissile
