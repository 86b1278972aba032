#include "encode/encoder.hpp"

#include <algorithm>
#include <array>

#include "cpu/prefetch.hpp"
#include "merge/merge_short.hpp"
#include "text/nfc_check.hpp"
#include "text/utf8.hpp"

namespace fissile {

namespace {

// From this length on, laying tokens and taking them back beats a queue, also counting the trie it needs.
constexpr std::size_t kBacktrackBytes = 4096;

// Longer spans of several pieces are not remembered whole.
constexpr std::size_t kMaxWholeSpan = 48;

// Texts are handed to scanners in parts below 4 GiB.
constexpr std::size_t kMaxStretch = std::size_t{1} << 31;

// A span too long for the table that begins with a character of three bytes or more: a script that is mostly written
// without spaces. Long words of other scripts are better kept whole.
bool is_long_wide(Bytes text, std::size_t begin, std::size_t end) {
    return end - begin > kMaxInlinePiece && (text[begin] >= 0xe0 || text[begin + 1] >= 0xe0);
}

bool has_long_wide_span(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans) {
    for (std::size_t i = 0; i < n_spans; ++i) {
        if (is_long_wide(text, begin, ends[i])) return true;
        begin = ends[i];
    }
    return false;
}

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

std::size_t n_long_tokens(const Vocabulary& vocabulary) {
    std::size_t n = 0;
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) n += vocabulary.token_bytes(id).size() > kMaxInlinePiece;
    return n;
}

}  // namespace

DisallowedSpecial::DisallowedSpecial(std::string token_text)
    : Error("text holds the special token " + token_text), token_(std::move(token_text)) {}

Encoder::Encoder(std::shared_ptr<const Vocabulary> vocabulary, EncoderOptions options,
                 std::vector<AddedToken> added_tokens, Normalizer to_nfc)
    : vocabulary_(std::move(vocabulary)),
      options_(options),
      specials_(std::move(added_tokens)),
      to_nfc_(std::move(to_nfc)),
      scan_(scanner(options, *vocabulary_)),
      cuts_(*vocabulary_, options.split_before_spaces),
      backtracks_(vocabulary_->options().alphabet == Alphabet::kBytes && vocabulary_->has_all_bytes() &&
                  vocabulary_->merges_are_ordered()),
      cuts_long_spans_(!options.cut_by_vocabulary && may_cut_first(*vocabulary_)),
      table_(vocabulary_->n_vocab(), options.max_cache_bytes / 4 * 3),
      long_pieces_(n_long_tokens(*vocabulary_), options.max_cache_bytes / 4) {
    seed_tables();
}

// Tokens that encode to themselves are known before the first text is seen.
void Encoder::seed_tables() {
    const Vocabulary& v = *vocabulary_;
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const Bytes token = v.token_bytes(id);
        if (token.empty() || !(v.is_reachable(id) || (v.options().ignore_merges && v.find(token) == id))) continue;
        if (token.size() <= kMaxInlinePiece) {
            table_.insert(piece_key(token.data(), token.size()), &id, 1);
        } else {
            long_pieces_.insert(token, &id, 1);
        }
    }
}

const TokenTrie& Encoder::trie() const {
    std::call_once(trie_built_, [this] { trie_ = std::make_unique<const TokenTrie>(*vocabulary_); });
    return *trie_;
}

SpecialPlan Encoder::plan(const std::vector<SpecialMode>& modes) const {
    SpecialPlan plan;
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

void Encoder::encode(Bytes text, const SpecialPlan& plan, Workspace& workspace, IdArray& sink, bool at_start) const {
    encode_text(text, plan, workspace, sink, at_start);
}

void Encoder::encode(Bytes text, const SpecialPlan& plan, Workspace& workspace, IdCounter& sink, bool at_start) const {
    encode_text(text, plan, workspace, sink, at_start);
}

void Encoder::encode(Bytes text, const SpecialPlan& plan, Workspace& workspace, SpanIds& sink, bool at_start) const {
    encode_text(text, plan, workspace, sink, at_start);
}

template <class Sink>
void Encoder::encode_text(Bytes text, const SpecialPlan& plan, Workspace& ws, Sink& sink, bool at_start) const {
    if (plan.any_disallowed) {
        const SpecialTokens::Match match = specials_.find(text, 0, plan.disallowed);
        if (match.token != SpecialTokens::npos) throw DisallowedSpecial(specials_.tokens()[match.token].content);
    }
    if (!plan.any_raw) {
        encode_raw(text, plan, at_start, true, ws, sink);
        return;
    }
    for (std::size_t position = 0;;) {
        const SpecialTokens::Match match = specials_.find(text, position, plan.raw);
        encode_raw(text.subspan(position, match.begin - position), plan, at_start && position == 0,
                   match.token == SpecialTokens::npos, ws, sink);
        if (match.token == SpecialTokens::npos) return;
        sink.append(&specials_.tokens()[match.token].id, 1);
        position = match.end;
    }
}

// Text between tokens that are found in raw text: normalised, then searched for the others.
template <class Sink>
void Encoder::encode_raw(Bytes text, const SpecialPlan& plan, bool first, bool ends_text, Workspace& ws,
                         Sink& sink) const {
    if (to_nfc_ && !is_nfc_quick(text)) {
        to_nfc_(text, ws.normalized);
        text = ws.normalized;
    }
    if (!plan.any_normalized) {
        encode_stretch(text, first, ends_text, ws, sink);
        return;
    }
    for (std::size_t position = 0;;) {
        const SpecialTokens::Match match = specials_.find(text, position, plan.normalized);
        encode_stretch(text.subspan(position, match.begin - position), first && position == 0,
                       ends_text && match.token == SpecialTokens::npos, ws, sink);
        if (match.token == SpecialTokens::npos) return;
        sink.append(&specials_.tokens()[match.token].id, 1);
        position = match.end;
    }
}

// A stretch of text without special tokens in it.
template <class Sink>
void Encoder::encode_stretch(Bytes text, bool first, bool ends_text, Workspace& ws, Sink& sink) const {
    // Where only the text's beginning gets a space, it gets it also in front of a token found there.
    const bool lone_prefix = text.empty() && first && !ends_text && options_.prefix_first_stretch_only &&
                             options_.prefix_space == PrefixSpace::kAlways;
    if (text.empty() && !lone_prefix) return;
    const bool starts_with_space =
        !text.empty() && (text[0] == ' ' || (options_.cut_by_vocabulary && text.size() >= 3 && text[0] == 0xe2 &&
                                             text[1] == 0x96 && text[2] == 0x81));
    const bool prefix = options_.prefix_space == PrefixSpace::kAlways ||
                        (options_.prefix_space == PrefixSpace::kUnlessSpace && !starts_with_space);
    if (!prefix || (options_.prefix_first_stretch_only && !first)) {
        encode_plain(text, ws, sink);
        return;
    }
    ws.prefixed.clear();
    ws.prefixed.reserve(text.size() + 1);
    ws.prefixed.push_back(' ');
    ws.prefixed.insert(ws.prefixed.end(), text.begin(), text.end());
    encode_plain(ws.prefixed, ws, sink);
}

template <class Sink>
void Encoder::encode_plain(Bytes text, Workspace& ws, Sink& sink) const {
    if (text.size() > kMaxStretch) {
        throw Error("text has " + std::to_string(text.size()) + " bytes without a special token; 2 GiB is the most");
    }
    for (std::size_t position = 0; position < text.size();) {
        if (ws.interrupt != nullptr) ws.interrupt->check();
        const ScanResult scanned = scan_ == nullptr ? cuts_.cut(text, position, ws.span_ends, Workspace::kSpans)
                                                    : scan_(text, position, ws.span_ends, Workspace::kSpans);
        if (!Sink::kWholeSpans && cuts_long_spans_ &&
            has_long_wide_span(text, position, ws.span_ends, scanned.n_spans)) {
            look_up_cut(text, position, scanned.n_spans, ws, sink);
        } else {
            look_up_spans(text, position, ws.span_ends, scanned.n_spans, ws, sink);
        }
        position = scanned.position;
    }
}

// Spans of which some are too long for the table: those of other scripts are cut first, and their pieces looked up
// with the rest. Chinese spans are clauses that never come again, their pieces are characters and words that do.
template <class Sink>
void Encoder::look_up_cut(Bytes text, std::size_t begin, std::size_t n_spans, Workspace& ws, Sink& sink) const {
    std::size_t start = begin;  // of what has not been looked up
    std::size_t at = begin;     // of what has not been cut
    std::size_t n = 0;
    for (std::size_t i = 0; i < n_spans;) {
        const std::size_t end = ws.span_ends[i];
        if (is_long_wide(text, at, end)) {
            const ScanResult cut = cuts_.cut(text.first(end), at, ws.piece_ends + n, Workspace::kSpans - n);
            n += cut.n_spans;
            at = cut.position;
        } else {
            ws.piece_ends[n++] = static_cast<std::uint32_t>(end);
            at = end;
        }
        i += at == end;
        if (n == Workspace::kSpans || i == n_spans) {
            look_up_spans(text, start, ws.piece_ends, n, ws, sink);
            start = at;
            n = 0;
        }
    }
}

// The hot loop. First every span's key and bucket, so that the cache lines are on their way; then the answers.
template <class Sink>
void Encoder::look_up_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans,
                            Workspace& ws, Sink& sink) const {
    const PieceTable::View view = table_.view();
    const std::uint8_t* const bytes = text.data();
    // Spans that begin this far from the end can be read 16 bytes at a time.
    const std::size_t last_wide = text.size() >= 16 ? text.size() - 16 : 0;
    std::size_t start = begin;
    std::size_t i = 0;
    if (text.size() >= 16) {
        for (; i < n_spans && start <= last_wide; ++i) {
            const PieceKey key = piece_key_from_16(bytes + start, ends[i] - start);
            const PieceTable::Entry* const bucket = view.bucket(PieceTable::View::hash(key));
            prefetch(bucket);
            ws.keys[i] = key;
            ws.buckets[i] = bucket;
            start = ends[i];
        }
    }
    for (; i < n_spans; ++i) {
        ws.keys[i] = piece_key(bytes + start, ends[i] - start);
        ws.buckets[i] = view.bucket(PieceTable::View::hash(ws.keys[i]));
        start = ends[i];
    }
    sink.reserve_more(n_spans * kMaxInlineIds);
    for (i = 0; i < n_spans; ++i) {
        const PieceKey key = ws.keys[i];
        const PieceTable::Entry* entry = PieceTable::View::find_in_bucket(ws.buckets[i], key);
        if (entry != nullptr && PieceTable::n_ids(*entry) <= kMaxInlineIds) [[likely]] {
            sink.append_entry(*entry);
            continue;
        }
        const std::size_t from = i == 0 ? begin : ends[i - 1];
        const Bytes span = text.subspan(from, ends[i] - from);
        TokenId four[kMaxInlineIds];
        KnownIds known;
        if (span.size() > kMaxInlinePiece) {
            known = long_pieces_.find(span);
        } else {
            if (entry == nullptr) entry = view.find_beyond(ws.buckets[i], key);
            if (entry != nullptr) known = PieceTable::ids_of(*entry, four);
        }
        if (known.ids == nullptr) {
            ws.ids.clear();
            encode_unknown_span(span, key, ws);
            known = {ws.ids.data(), ws.ids.size()};
        }
        sink.append(known.ids, known.n_ids);
        sink.reserve_more((n_spans - i) * kMaxInlineIds);
    }
}

// The ids of a piece if it is known already; `four` may hold them.
KnownIds Encoder::find_known(Bytes piece, PieceKey key, TokenId four[kMaxInlineIds]) const {
    if (piece.size() > kMaxInlinePiece) return long_pieces_.find(piece);
    const PieceTable::Entry* const entry = table_.view().find(key);
    return entry == nullptr ? KnownIds() : PieceTable::ids_of(*entry, four);
}

// Remembers the ids of a piece, in the table that it fits.
void Encoder::remember(Bytes piece, PieceKey key, const TokenId* ids, std::size_t n_ids) const {
    if (piece.size() > kMaxInlinePiece) {
        long_pieces_.insert(piece, ids, n_ids);
    } else if (n_ids >= 1) {
        table_.insert(key, ids, n_ids);
    }
}

// Whether a span was asked about lately; forgets some, and takes some for others.
bool Encoder::seen_before(Bytes span) const {
    const std::uint64_t hash = hash_bytes(span.data(), span.size());
    std::atomic<std::uint16_t>& mark = seen_[hash % seen_.size()];
    const auto tag = static_cast<std::uint16_t>(hash >> 48 | 1);
    if (mark.load(std::memory_order_relaxed) == tag) return true;
    mark.store(tag, std::memory_order_relaxed);
    return false;
}

// Whether a token comes from a whole span only: merging the same bytes inside a longer span gives others.
bool Encoder::only_whole_span(TokenId id) const {
    return vocabulary_->options().ignore_merges && !vocabulary_->is_reachable(id);
}

// Appends the ids of a span that is not known: cut where that is exact, each piece known or merged.
void Encoder::encode_unknown_span(Bytes span, PieceKey key, Workspace& ws) const {
    const std::size_t first = ws.ids.size();
    std::size_t n_pieces = 0;
    for (std::size_t position = 0; position < span.size();) {
        const ScanResult cut = cuts_.cut(span, position, ws.unknown_ends, Workspace::kSpans);
        n_pieces += cut.n_spans;
        std::size_t begin = position;
        for (std::size_t i = 0; i < cut.n_spans; ++i) {
            const Bytes piece = span.subspan(begin, ws.unknown_ends[i] - begin);
            begin = ws.unknown_ends[i];
            const std::size_t joint = ws.ids.size();
            const PieceKey key_of_piece = piece_key(piece.data(), piece.size());
            TokenId four[kMaxInlineIds];
            const KnownIds known = piece.size() == span.size() ? KnownIds() : find_known(piece, key_of_piece, four);
            if (known.ids != nullptr && known.n_ids == 1 && only_whole_span(known.ids[0])) {
                merge_piece(piece, ws);  // not remembered: the table's entry is for spans
            } else if (known.ids != nullptr) {
                ws.ids.insert(ws.ids.end(), known.ids, known.ids + known.n_ids);
            } else {
                merge_piece(piece, ws);
                remember(piece, key_of_piece, ws.ids.data() + joint, ws.ids.size() - joint);
            }
            // Unknown characters that merge with nothing may stand on both sides of a cut, and are fused all the same.
            if (vocabulary_->options().fuse_unk && joint > first && joint < ws.ids.size() &&
                ws.ids[joint - 1] == vocabulary_->options().unk && ws.ids[joint] == vocabulary_->options().unk) {
                ws.ids.erase(ws.ids.begin() + static_cast<std::ptrdiff_t>(joint));
            }
        }
        position = cut.position;
    }
    // A span of several pieces is worth remembering if it comes again: most of a language without spaces do not.
    if (n_pieces > 1 && span.size() <= kMaxWholeSpan && seen_before(span)) {
        remember(span, key, ws.ids.data() + first, ws.ids.size() - first);
    }
}

// Symbols of a piece of bytes and the ranks of its neighbours; unknown bytes are left out or become `unk`.
std::size_t Encoder::byte_symbols(Bytes piece, TokenId* symbols, std::uint32_t* ranks) const {
    const Vocabulary& v = *vocabulary_;
    if (v.has_all_bytes()) {
        for (std::size_t i = 0; i < piece.size(); ++i) symbols[i] = v.byte_symbol(piece[i]);
        for (std::size_t i = 0; i + 1 < piece.size(); ++i) ranks[i] = v.byte_pair_rank(piece[i], piece[i + 1]);
        return piece.size();
    }
    const ModelOptions& options = v.options();
    std::size_t n = 0;
    for (std::size_t i = 0; i < piece.size(); ++i) {
        TokenId symbol = v.byte_symbol(piece[i]);
        if (symbol == kNoToken && options.byte_fallback) symbol = v.fallback_symbol(piece[i]);
        if (symbol == kNoToken && options.unknown_is_error) {
            throw Error("byte " + std::to_string(piece[i]) + " of the text is no token of the vocabulary");
        }
        if (symbol == kNoToken) symbol = options.unk;
        if (symbol == kNoToken) continue;
        if (symbol == options.unk && options.fuse_unk && n > 0 && symbols[n - 1] == symbol) continue;
        symbols[n++] = symbol;
    }
    for (std::size_t i = 0; i + 1 < n; ++i) ranks[i] = v.pairs().find(symbols[i], symbols[i + 1]);
    return n;
}

// Symbols of a piece of characters: the character, else its bytes, else `unk`, else nothing.
void Encoder::char_symbols(Bytes piece, std::vector<TokenId>& symbols) const {
    const Vocabulary& v = *vocabulary_;
    const ModelOptions& options = v.options();
    for (std::size_t i = 0; i < piece.size();) {
        const Char c = decode_char(piece.data() + i, piece.size() - i);
        const TokenId symbol = c.code_point == kInvalid ? kNoToken : v.char_symbol(c.code_point);
        // U+2581 stands for a space whichever of the two the text has; its bytes are those of U+2581.
        static constexpr std::array<std::uint8_t, 3> kMetaspace{0xe2, 0x96, 0x81};
        const Bytes bytes = c.code_point == ' ' ? Bytes(kMetaspace) : piece.subspan(i, c.n_bytes);
        i += c.n_bytes;
        if (symbol != kNoToken) {
            symbols.push_back(symbol);
            continue;
        }
        if (options.byte_fallback && std::all_of(bytes.begin(), bytes.end(), [&](std::uint8_t byte) {
                return v.fallback_symbol(byte) != kNoToken;
            })) {
            for (const std::uint8_t byte : bytes) symbols.push_back(v.fallback_symbol(byte));
            continue;
        }
        if (options.unk == kNoToken || (options.fuse_unk && !symbols.empty() && symbols.back() == options.unk))
            continue;
        symbols.push_back(options.unk);
    }
}

// Appends the ids of a piece, merged anew.
void Encoder::merge_piece(Bytes piece, Workspace& ws) const {
    const Vocabulary& v = *vocabulary_;
    std::uint32_t ranks[kShortSymbols];
    if (v.options().alphabet == Alphabet::kBytes) {
        if (piece.size() <= kShortSymbols) {
            TokenId symbols[kShortSymbols];
            std::size_t n = byte_symbols(piece, symbols, ranks);
            n = merge_short(v.pairs(), v.results(), symbols, ranks, n);
            ws.ids.insert(ws.ids.end(), symbols, symbols + n);
            return;
        }
        if (backtracks_ && piece.size() >= kBacktrackBytes) {
            merge_backtrack(v, trie(), piece, ws.ids, ws.backtrack);
            return;
        }
        std::vector<std::uint32_t> many_ranks(piece.size());
        ws.symbols.resize(piece.size());
        ws.symbols.resize(byte_symbols(piece, ws.symbols.data(), many_ranks.data()));
    } else {
        ws.symbols.clear();
        char_symbols(piece, ws.symbols);
        if (ws.symbols.size() <= kShortSymbols) {
            for (std::size_t i = 0; i + 1 < ws.symbols.size(); ++i) {
                ranks[i] = v.pairs().find(ws.symbols[i], ws.symbols[i + 1]);
            }
            const std::size_t n = merge_short(v.pairs(), v.results(), ws.symbols.data(), ranks, ws.symbols.size());
            ws.ids.insert(ws.ids.end(), ws.symbols.begin(), ws.symbols.begin() + static_cast<std::ptrdiff_t>(n));
            return;
        }
    }
    merge_queue(v.pairs(), v.results(), ws.symbols, ws.queue);
    ws.ids.insert(ws.ids.end(), ws.symbols.begin(), ws.symbols.end());
}

void Encoder::encode_spans(Bytes text, const std::int64_t* ends, std::size_t n_spans, Workspace& ws,
                           IdArray& sink) const {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < n_spans; ++i) {
        const auto end = static_cast<std::size_t>(ends[i]);
        const Bytes span = text.subspan(begin, end - begin);
        begin = end;
        if (span.empty()) continue;
        if (span.size() > kMaxStretch) throw Error("a pretoken of more than 2 GiB");
        const PieceKey key = piece_key(span.data(), span.size());
        TokenId four[kMaxInlineIds];
        KnownIds known = find_known(span, key, four);
        if (known.ids == nullptr) {
            ws.ids.clear();
            encode_unknown_span(span, key, ws);
            known = {ws.ids.data(), ws.ids.size()};
        }
        sink.append(known.ids, known.n_ids);
    }
}

bool Encoder::can_divide_between(std::uint32_t left, std::uint32_t right) const {
    if (left >= 0x80 || right >= 0x80) return false;
    if (options_.cut_by_vocabulary) {
        const std::uint8_t pair[2] = {static_cast<std::uint8_t>(left), static_cast<std::uint8_t>(right)};
        std::uint32_t ends[2];
        return scan_ == nullptr && cuts_.cut(pair, 0, ends, 2).n_spans == 2;
    }
    const bool word =
        (right >= 'a' && right <= 'z') || (right >= 'A' && right <= 'Z') || (right >= '0' && right <= '9');
    return left == '\n' && word && options_.pattern != Pattern::kNone && options_.pattern != Pattern::kSuperbpe;
}

}  // namespace fissile
