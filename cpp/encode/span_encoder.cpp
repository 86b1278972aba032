#include "encode/span_encoder.hpp"

#include <algorithm>

#include "cpu/prefetch.hpp"
#include "text/utf8.hpp"

namespace fissile {

namespace {

// Where windows are of no use: from this length on, laying tokens and taking them back beats the tree, also counting
// the time it takes to list tokens by what they begin with.
constexpr std::size_t kBacktrackBytes = 4096;

// Spans of more bytes get room for an id a byte at once, as growing would copy; but for no more than so many.
constexpr std::size_t kManyIds = std::size_t{64} << 10, kMostIds = std::size_t{4} << 20;

// Longer spans of several pieces are not remembered whole.
constexpr std::size_t kMaxWholeSpan = 48;

std::size_t n_long_tokens(const Vocabulary& vocabulary) {
    std::size_t n = 0;
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) n += vocabulary.token_bytes(id).size() > kMaxInlinePiece;
    return n;
}

// Whether a piece of more than 62 bytes is not worth trying in windows: it begins with one byte again and again, where
// tokens are long, and it is short itself.
bool is_short_row(Bytes piece) {
    constexpr std::size_t kRow = 32, kShort = 1024;
    return piece.size() >= kRow && piece.size() <= kShort &&
           std::equal(piece.begin() + 1, piece.begin() + kRow, piece.begin());
}

// At most. A space that is no symbol becomes the three bytes of U+2581.
std::size_t symbols_per_byte(const Vocabulary& vocabulary) {
    return vocabulary.options().alphabet == Alphabet::kChars && vocabulary.char_symbol(' ') == kNoToken ? 3 : 1;
}

}  // namespace

SpanEncoder::SpanEncoder(std::shared_ptr<const Vocabulary> vocabulary, bool before_spaces, std::size_t max_cache_bytes)
    : vocabulary_(std::move(vocabulary)),
      kernels_(merge_kernels_for(chosen_isa())),
      front_kernels_(front_kernels_for(chosen_isa())),
      cuts_(*vocabulary_, before_spaces),
      bytes_decide_(vocabulary_->options().alphabet == Alphabet::kBytes && vocabulary_->has_all_bytes() &&
                    vocabulary_->tied_orders() == nullptr && !vocabulary_->has_unused()),
      keys_decide_(vocabulary_->has_all_bytes() && vocabulary_->tied_orders() == nullptr &&
                   !vocabulary_->has_unused() && !before_spaces),
      pairs_decide_(vocabulary_->options().alphabet == Alphabet::kBytes && vocabulary_->has_all_bytes() &&
                    vocabulary_->merges_are_ordered()),
      ranks_decide_(vocabulary_->merges_are_ordered() && vocabulary_->tied_orders() == nullptr),
      max_narrow_bytes_(MergeLane<16>::kMaxSymbols / symbols_per_byte(*vocabulary_)),
      max_lane_bytes_(MergeLane<64>::kMaxSymbols / symbols_per_byte(*vocabulary_)),
      table_(vocabulary_->n_vocab(), max_cache_bytes / 4 * 3),
      long_pieces_(n_long_tokens(*vocabulary_), max_cache_bytes / 4) {
    if (vocabulary_->options().alphabet == Alphabet::kChars) ascii_.emplace(*vocabulary_);
    if (keys_decide_) {
        key_symbols_ = vocabulary_->byte_symbols();
    } else if (ascii_ && vocabulary_->tied_orders() == nullptr && !vocabulary_->has_unused() && !before_spaces) {
        key_symbols_ = ascii_->byte_symbols();
        no_key_bits_ = 0x8080808080808080u;
    }
    // Lanes know nothing of equal ranks, and pieces that come apart again are seen to where merge_piece ends.
    if (vocabulary_->tied_orders() != nullptr || vocabulary_->has_unused()) max_lane_bytes_ = 0;
    seed_tables();
}

// Tokens that encode to themselves are known before the first text is seen.
void SpanEncoder::seed_tables() {
    const Vocabulary& v = *vocabulary_;
    // Some at a time, so that the cache lines they go to are asked for before the first of them is written to.
    constexpr std::size_t kAtOnce = 64;
    std::array<PieceKey, kAtOnce> keys;
    std::array<TokenId, kAtOnce> ids;
    std::size_t n = 0;
    const auto insert = [&] {
        for (std::size_t i = 0; i < n; ++i) table_.insert_alone(keys[i], ids[i]);
        n = 0;
    };
    long_tokens_.reserve(n_long_tokens(v), v.n_vocab());
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const Bytes token = v.token_bytes(id);
        if (token.empty() || v.is_unused(id) ||
            !(v.is_reachable(id) || (v.options().ignore_merges && v.find(token) == id)))
            continue;
        if (token.size() > kMaxInlinePiece) {
            long_tokens_.insert(id, [&v](TokenId of) { return v.token_bytes(of); });
            continue;
        }
        keys[n] = piece_key(token.data(), token.size());
        ids[n] = id;
        prefetch(table_.view().bucket(PieceTable::View::hash(keys[n])));
        if (++n == kAtOnce) insert();
    }
    insert();
}

// The hot loop: most spans are answered here.
template <class Sink>
void SpanEncoder::add_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans,
                            Workspace& ws, Sink& sink) const {
    if (ws.n_pieces + n_spans > kSpans) finish(ws, sink);
    const FoundPiece** const pieces = ws.pieces + ws.n_pieces;
    const std::size_t n_missed = front_kernels_.look_up(ws.front.of(front_tables_), {text, begin, ends, n_spans},
                                                        pieces, {ws.missed_index, ws.missed_low, ws.missed_high});
    if (ws.n_pieces == 0) ws.view = table_.view();
    // Each asks for the cache line that it will look at. Which of them are long follows no rule, so the list of them is
    // made without jumps.
    for (std::size_t k = 0; k < n_missed; ++k) {
        const std::size_t index = ws.missed_index[k];
        const std::size_t start = index == 0 ? begin : ends[index - 1];
        pieces[index] = &ws.found[ws.n_missed];
        Workspace::Missed& missed = ws.missed[ws.n_missed];
        missed.bytes = text.data() + start;
        missed.n_bytes = ends[index] - start;
        missed.key = {ws.missed_low[k], ws.missed_high[k]};
        missed.bucket = ws.view.bucket(PieceTable::View::hash(missed.key));
        prefetch_far(missed.bucket);
        ws.long_missed[ws.n_long] = static_cast<std::uint32_t>(ws.n_missed++);
        ws.n_long += missed.n_bytes > kMaxInlinePiece;
    }
    ws.n_pieces += n_spans;
}

template <class Sink>
void SpanEncoder::finish(Workspace& ws, Sink& sink) const {
    ws.n_to_front = 0;
    if (ws.n_missed != 0) look_up_missed(ws);
    std::size_t done = 0;
    for (std::size_t m = 0; m < ws.n_marks; ++m) {
        append_pieces(done, ws.marks[m].piece, ws, sink);
        done = ws.marks[m].piece;
        *ws.marks[m].n_ids = static_cast<std::int64_t>(sink.size());
    }
    append_pieces(done, ws.n_pieces, ws, sink);
    // Not before: what was found in the front table had to stay there.
    for (std::size_t k = 0; k < ws.n_to_front; ++k) ws.front.of(front_tables_).put(ws.found[ws.to_front[k]]);
    ws.forget();
}

template <class Sink>
void SpanEncoder::mark(std::int64_t* n_ids, Workspace& ws, Sink& sink) const {
    if (ws.n_pieces == 0) {
        *n_ids = static_cast<std::int64_t>(sink.size());
        return;
    }
    ws.marks[ws.n_marks++] = {ws.n_pieces, n_ids};
    if (ws.n_marks == kSpans) finish(ws, sink);
}

template <class Sink>
void SpanEncoder::append_pieces(std::size_t begin, std::size_t end, const Workspace& ws, Sink& sink) const {
    while (begin < end) {
        sink.reserve_more((end - begin) * kMaxInlineIds);
        begin += sink.append_pieces(front_kernels_, ws.pieces + begin, end - begin);
        if (begin == end) break;
        const KnownIds ids = ws.elsewhere[ws.pieces[begin++]->ids[1]];
        sink.append(ids.ids, ids.n_ids);
    }
}

template void SpanEncoder::add_spans(Bytes, std::size_t, const std::uint32_t*, std::size_t, Workspace&, IdArray&) const;
template void SpanEncoder::add_spans(Bytes, std::size_t, const std::uint32_t*, std::size_t, Workspace&,
                                     IdCounter&) const;
template void SpanEncoder::add_spans(Bytes, std::size_t, const std::uint32_t*, std::size_t, Workspace&, SpanIds&) const;
template void SpanEncoder::finish(Workspace&, IdArray&) const;
template void SpanEncoder::finish(Workspace&, IdCounter&) const;
template void SpanEncoder::finish(Workspace&, SpanIds&) const;
template void SpanEncoder::mark(std::int64_t*, Workspace&, IdArray&) const;
template void SpanEncoder::mark(std::int64_t*, Workspace&, IdCounter&) const;
template void SpanEncoder::mark(std::int64_t*, Workspace&, SpanIds&) const;

// Ids that are more than an entry holds; they stay where they are.
FoundPiece SpanEncoder::found_elsewhere(KnownIds ids, Workspace& ws) {
    ws.elsewhere[ws.n_elsewhere] = ids;
    return FoundPiece::elsewhere(ws.n_elsewhere++);
}

// The spans that the front table does not hold.
void SpanEncoder::look_up_missed(Workspace& ws) const {
    const PieceTable::View view = ws.view;
    const std::size_t n_missed = ws.n_missed, n_long = ws.n_long;
    std::size_t k = 0;
    for (k = 0; k < n_long; ++k) {
        Workspace::Missed& missed = ws.missed[ws.long_missed[k]];
        missed.hash = LongPieces::hash(missed.span());
        long_pieces_.near_slot(missed.hash);
    }
    for (k = 0; k < n_long; ++k) long_pieces_.near_record(ws.missed[ws.long_missed[k]].hash);

    ws.n_elsewhere = 0;
    std::size_t n_unknown = 0, n_long_seen = 0;
    ws.long_missed[n_long] = static_cast<std::uint32_t>(n_missed);
    for (k = 0; k < n_missed; ++k) {
        const Workspace::Missed& missed = ws.missed[k];
        KnownIds known;
        if (k == ws.long_missed[n_long_seen]) {
            ++n_long_seen;
            TokenId one[kMaxInlineIds];
            known = find_long(missed.span(), missed.hash, one);
            if (known.n_ids >= 1 && known.n_ids <= kMaxInlineIds) {
                ws.found[k] = FoundPiece::of_ids(known.ids, known.n_ids);
                continue;
            }
        } else {
            const PieceTable::Entry* entry = PieceTable::View::find_in_bucket(missed.bucket, missed.key);
            if (entry == nullptr) entry = view.find_beyond(missed.bucket, missed.key);
            if (entry != nullptr && !PieceTable::ids_are_outside(*entry)) [[likely]] {
                std::uint64_t ids[2];
                PieceTable::copy_ids(*entry, ids);
                ws.found[k] = FoundPiece::of_words(missed.key, ids, PieceTable::n_ids(*entry));
                ws.to_front[ws.n_to_front++] = static_cast<std::uint32_t>(k);
                continue;
            }
            TokenId four[kMaxInlineIds];
            if (entry != nullptr) known = PieceTable::ids_of(*entry, four);
        }
        if (known.ids != nullptr) {
            ws.found[k] = found_elsewhere(known, ws);
        } else {
            ws.unknown[n_unknown++] = static_cast<std::uint32_t>(k);
        }
    }
    if (n_unknown == 0) return;
    note_returns(n_unknown, ws);
    if (key_symbols_) n_unknown = encode_short(n_unknown, ws);
    if (n_unknown != 0) encode_unknown(n_unknown, ws);
    settle_returns(ws);
}

// Short spans that are in no table, many at a time and uncut: where one can be cut, looking for that place and for its
// pieces takes longer than merging it. Returns how many of `unknown` are left.
std::size_t SpanEncoder::encode_short(std::size_t n_unknown, Workspace& ws) const {
    std::size_t n_short = 0, n_left = 0;
    // Which of them are short follows no rule, so both lists are made without jumps.
    for (std::size_t u = 0; u < n_unknown; ++u) {
        const std::uint32_t k = ws.unknown[u];
        const Workspace::Missed& missed = ws.missed[k];
        const bool is_short =
            missed.n_bytes <= kMaxInlinePiece && ((missed.key.low | missed.key.high) & no_key_bits_) == 0;
        ws.short_keys[n_short] = missed.key;
        ws.short_unknown[n_short] = k;
        ws.unknown[n_left] = k;
        n_short += is_short;
        n_left += !is_short;
        prefetch(&mark_of(PieceTable::View::hash(missed.key)));
    }
    const Vocabulary& v = *vocabulary_;
    kernels_.keys(v.pairs(), v.results(), *key_symbols_, ws.short_keys, n_short, ws.short_ids, ws.n_short_ids);
    for (std::size_t i = 0; i < n_short; ++i) {
        const TokenId* const ids = ws.short_ids[i].ids;
        const std::size_t n_ids = ws.n_short_ids[i];
        if (n_ids == 0) {
            ws.unknown[n_left++] = ws.short_unknown[i];
            continue;
        }
        FoundPiece& found = ws.found[ws.short_unknown[i]];
        if (n_ids <= kMaxInlineIds) [[likely]] {
            std::uint64_t words[2];
            std::memcpy(words, ids, sizeof words);
            found = FoundPiece::of_words({}, words, n_ids);
        } else {
            found = found_elsewhere({ids, n_ids}, ws);
        }
        remember_short(ws.short_keys[i], ids, n_ids, ws);
    }
    return n_left;
}

// Spans that are in no table: cut where that is exact, and what is not known of their pieces merged, several at a time.
void SpanEncoder::encode_unknown(std::size_t n_unknown, Workspace& ws) const {
    const std::size_t first_unknown = ws.n_elsewhere;
    ws.ids.clear();
    ws.n_parts = ws.n_wide_parts = ws.n_finished = 0;
    begin_span(ws);
    for (std::size_t u = 0; u < n_unknown; ++u) {
        const Bytes span = ws.missed[ws.unknown[u]].span();
        if (span.size() >= kManyIds) ws.ids.reserve(ws.ids.size() + std::min(span.size(), kMostIds));
        for (std::size_t position = 0; position < span.size();) {
            if (position != 0) {
                if (ws.interrupt != nullptr) ws.interrupt->check_now();
                settle_returns(ws);
            }
            const std::size_t n_pieces = cuts_.cut(span, position, ws.piece_ends, kSpans).n_spans;
            if (keys_decide_ && !ws.pieces_return) {
                add_in_groups(span, position, n_pieces, ws);
                position = ws.piece_ends[n_pieces - 1];
                continue;
            }
            for (std::size_t i = 0; i < n_pieces; ++i) {
                const Bytes piece = span.subspan(position, ws.piece_ends[i] - position);
                position = ws.piece_ends[i];
                add_piece(piece, span.size(), ws);
            }
        }
        if (ws.n_parts == 0) {
            finish_span(ws);
        } else {
            ws.parts[ws.n_parts - 1].ends_span = true;
            prefetch(&mark_of(ws.missed[ws.unknown[u]].hash_of_span()));
        }
    }
    merge_parts(ws);
    for (std::size_t i = first_unknown; i < ws.n_elsewhere; ++i) ws.elsewhere[i].ids = ws.ids.data() + ws.id_offset[i];
}

// One or two bytes are what the ranks of two bytes say; what is longer than a lane is merged alone; all else waits for
// others, while the place where it may be known is brought near.
void SpanEncoder::add_piece(Bytes piece, std::size_t n_span_bytes, Workspace& ws) const {
    const bool is_span = piece.size() == n_span_bytes;
    if (bytes_decide_ && piece.size() <= 2 && ws.n_parts == 0) {
        TokenId ids[2];
        append_part(ids, merge_two_bytes(piece, ids), ws);
        return;
    }
    if (piece.size() > max_lane_bytes_) {
        merge_parts(ws);
        const PieceKey key = piece_key(piece.data(), piece.size());
        TokenId four[kMaxInlineIds];
        const KnownIds known = is_span ? KnownIds() : find_known(piece, key, four);
        if (known.ids != nullptr && !is_for_spans(known)) {
            append_part(known.ids, known.n_ids, ws);
            return;
        }
        merge_piece(piece, ws);
        // The table's entry of a piece that is known all the same is for spans.
        if (known.ids == nullptr) remember(piece, key, ws.symbols.data(), ws.symbols.size(), ws);
        append_part(ws.symbols.data(), ws.symbols.size(), ws);
        return;
    }
    Workspace::Part& part = add_part(piece, ws);
    part.is_span = is_span;
    if (!is_span && piece.size() <= kMaxInlinePiece) prefetch(table_.view().bucket(PieceTable::View::hash(part.key)));
}

SpanEncoder::Workspace::Part& SpanEncoder::add_part(Bytes piece, Workspace& ws) const {
    const bool is_wide = piece.size() > max_narrow_bytes_;
    if (ws.n_parts == Workspace::kParts || (is_wide && ws.n_wide_parts == Workspace::kWideLanes)) merge_parts(ws);
    ws.n_wide_parts += is_wide;
    Workspace::Part& part = ws.parts[ws.n_parts++];
    part.piece = piece;
    part.is_span = part.is_group = part.ends_span = false;
    part.key = piece_key(piece.data(), piece.size());
    return part;
}

// Pieces that do not come again are merged as many together as a lane takes; but those of the sample as always.
void SpanEncoder::add_in_groups(Bytes span, std::size_t begin, std::size_t n_pieces, Workspace& ws) const {
    std::size_t at = begin;  // where the group begins
    for (std::size_t i = 0; i < n_pieces; ++i) {
        const std::size_t end = ws.piece_ends[i];
        const Bytes piece = span.subspan(begin, end - begin);
        const bool is_alone =
            piece.size() > max_narrow_bytes_ || (piece.size() > 2 && is_sample(piece_key(piece.data(), piece.size())));
        if (at != begin && (is_alone || end - at > max_narrow_bytes_)) {
            add_group(span.subspan(at, begin - at), ws);
            at = begin;
        }
        begin = end;
        if (is_alone) {
            add_piece(piece, span.size(), ws);
            at = end;
        }
    }
    if (at != begin) add_group(span.subspan(at, begin - at), ws);
}

void SpanEncoder::add_group(Bytes group, Workspace& ws) const { add_part(group, ws).is_group = true; }

// What is known of a part, or the lane that is to give its ids.
void SpanEncoder::plan_part(Workspace::Part& part, Workspace& ws) const {
    part.source = Workspace::Part::Source::kKnown;
    part.remembered = false;
    if (part.is_group) {
        part.source = Workspace::Part::Source::kLane;
        part.lane = static_cast<std::uint32_t>(ws.n_lanes++);
        ws.lane_keys[part.lane] = part.key;
        return;
    }
    if (bytes_decide_ && part.piece.size() <= 2) {
        part.known = {part.four, merge_two_bytes(part.piece, part.four)};
        return;
    }
    part.known = part.is_span ? KnownIds() : find_known(part.piece, part.key, part.four);
    part.remembered = part.known.ids == nullptr;
    if (part.remembered && !ws.pieces_return) prefetch(&mark_of(hash_of(part.piece, part.key)));
    if (!part.remembered && !is_for_spans(part.known)) {
        ws.n_returned += part.known.n_ids > 1 && is_sample(part.key);
        return;
    }
    if (part.piece.size() <= max_narrow_bytes_) {
        part.source = Workspace::Part::Source::kLane;
        part.lane = static_cast<std::uint32_t>(ws.n_lanes++);
        if (keys_decide_) {
            ws.lane_keys[part.lane] = part.key;
        } else {
            fill_lane(part.piece, ws.lanes[part.lane], ws);
        }
    } else {
        part.source = Workspace::Part::Source::kWideLane;
        part.lane = static_cast<std::uint32_t>(ws.n_wide_lanes++);
        fill_lane(part.piece, ws.wide_lanes[part.lane], ws);
    }
}

// Makes the ids of the spans whose parts wait, as far as they are there.
void SpanEncoder::merge_parts(Workspace& ws) const {
    const Vocabulary& v = *vocabulary_;
    ws.n_lanes = ws.n_wide_lanes = 0;
    for (std::size_t i = 0; i < ws.n_parts; ++i) plan_part(ws.parts[i], ws);
    if (keys_decide_) {
        kernels_.keys(v.pairs(), v.results(), *key_symbols_, ws.lane_keys, ws.n_lanes, ws.lane_ids, ws.n_lane_ids);
    } else {
        kernels_.many(v.pairs(), v.results(), ws.lanes, ws.n_lanes);
    }
    kernels_.many(v.pairs(), v.results(), ws.wide_lanes, ws.n_wide_lanes);
    for (const Workspace::Part* part = ws.parts; part != ws.parts + ws.n_parts; ++part) {
        TokenId merged[MergeLane<64>::kMaxSymbols];
        KnownIds ids = part->known;
        if (part->source == Workspace::Part::Source::kLane) {
            ids = keys_decide_ ? KnownIds{ws.lane_ids[part->lane].ids, ws.n_lane_ids[part->lane]}
                               : KnownIds{merged, ws.lanes[part->lane].copy_ids(merged)};
        } else if (part->source == Workspace::Part::Source::kWideLane) {
            ids = {merged, ws.wide_lanes[part->lane].copy_ids(merged)};
        }
        if (part->remembered) remember(part->piece, part->key, ids.ids, ids.n_ids, ws);
        append_part(ids.ids, ids.n_ids, ws);
        if (part->ends_span) finish_span(ws);
    }
    ws.n_parts = ws.n_wide_parts = 0;
}

// Ids of a piece of one or two bytes; returns how many.
std::size_t SpanEncoder::merge_two_bytes(Bytes piece, TokenId* ids) const {
    const Vocabulary& v = *vocabulary_;
    ids[0] = v.byte_symbol(piece[0]);
    if (piece.size() == 1) return 1;
    ids[1] = v.byte_symbol(piece[1]);
    const std::uint32_t rank = v.byte_pair_rank(piece[0], piece[1]);
    if (rank == kNoRank) return 2;
    ids[0] = v.results()[rank];
    return 1;
}

// Appends the ids of a piece of the span in hand. Unknown characters that merge with nothing may stand on both sides of
// a cut, and are fused all the same.
void SpanEncoder::append_part(const TokenId* ids, std::size_t n_ids, Workspace& ws) const {
    const ModelOptions& options = vocabulary_->options();
    const bool fused = options.fuse_unk && n_ids != 0 && ws.ids.size() > ws.first_id && ws.ids.back() == options.unk &&
                       ids[0] == options.unk;
    // Mostly one or two, for which a call of memmove takes longer.
    if (n_ids <= kMaxInlineIds) {
        for (std::size_t i = fused; i < n_ids; ++i) ws.ids.push_back(ids[i]);
    } else {
        ws.ids.insert(ws.ids.end(), ids + fused, ids + n_ids);
    }
    ++ws.n_span_pieces;
}

void SpanEncoder::begin_span(Workspace& ws) {
    ws.first_id = ws.ids.size();
    ws.n_span_pieces = 0;
}

// All ids of the first unknown span that is not finished are in ws.ids, from first_id on.
void SpanEncoder::finish_span(Workspace& ws) const {
    const std::uint32_t missed = ws.unknown[ws.n_finished++];
    const Bytes span = ws.missed[missed].span();
    const TokenId* const ids = ws.ids.data() + ws.first_id;
    const std::size_t n_ids = ws.ids.size() - ws.first_id;
    // A span of several pieces is worth remembering if it comes again: most of a language without spaces do not.
    if (ws.n_span_pieces > 1 && span.size() <= kMaxWholeSpan && seen_before(ws.missed[missed].hash_of_span())) {
        keep(span, ws.missed[missed].key, ids, n_ids);
    }
    if (n_ids >= 1 && n_ids <= kMaxInlineIds) {
        ws.found[missed] = FoundPiece::of_ids(ids, n_ids);
        ws.ids.resize(ws.first_id);
    } else {
        ws.id_offset[ws.n_elsewhere] = ws.first_id;
        ws.found[missed] = found_elsewhere({nullptr, n_ids}, ws);
    }
    begin_span(ws);
}

// The ids of a piece if it is known already; `four` may hold them.
KnownIds SpanEncoder::find_known(Bytes piece, PieceKey key, TokenId four[kMaxInlineIds]) const {
    if (piece.size() > kMaxInlinePiece) return find_long(piece, LongPieces::hash(piece), four);
    const PieceTable::Entry* const entry = table_.view().find(key);
    return entry == nullptr ? KnownIds() : PieceTable::ids_of(*entry, four);
}

// The same of a piece too long for the piece table. Tokens, of which a text has few, come into the table of such pieces
// when they are first seen.
KnownIds SpanEncoder::find_long(Bytes piece, std::uint64_t hash, TokenId four[kMaxInlineIds]) const {
    const KnownIds known = long_pieces_.find(piece, hash);
    if (known.ids != nullptr) return known;
    four[0] = long_tokens_.find(piece, hash, [this](TokenId id) { return vocabulary_->token_bytes(id); });
    if (four[0] == kNoToken) return {};
    long_pieces_.insert(piece, four, 1);
    return {four, 1};
}

// Remembers the ids of a piece that was merged: at first sight where pieces come again, else when it does.
void SpanEncoder::remember(Bytes piece, PieceKey key, const TokenId* ids, std::size_t n_ids, Workspace& ws) const {
    if (piece.size() <= kMaxInlinePiece) {
        remember_short(key, ids, n_ids, ws);
    } else if (ws.pieces_return || seen_before(LongPieces::hash(piece))) {
        long_pieces_.insert(piece, ids, n_ids);
    }
}

void SpanEncoder::remember_short(PieceKey key, const TokenId* ids, std::size_t n_ids, Workspace& ws) const {
    const bool sample = is_sample(key);
    ws.n_new += sample;
    if ((ws.pieces_return || sample || seen_before(PieceTable::View::hash(key))) && n_ids >= 1) {
        table_.insert(key, ids, n_ids);
    }
}

// Keeps the ids of a piece in the table that it fits.
void SpanEncoder::keep(Bytes piece, PieceKey key, const TokenId* ids, std::size_t n_ids) const {
    if (piece.size() > kMaxInlinePiece) {
        long_pieces_.insert(piece, ids, n_ids);
    } else if (n_ids >= 1) {
        table_.insert(key, ids, n_ids);
    }
}

std::uint64_t SpanEncoder::hash_of(Bytes piece, PieceKey key) {
    return piece.size() <= kMaxInlinePiece ? PieceTable::View::hash(key) : LongPieces::hash(piece);
}

// Whether what has this hash was asked about lately; forgets some, and takes some for others.
bool SpanEncoder::seen_before(std::uint64_t hash) const {
    std::atomic<std::uint16_t>& mark = mark_of(hash);
    const auto tag = static_cast<std::uint16_t>(hash >> 48 | 1);
    if (mark.load(std::memory_order_relaxed) == tag) return true;
    mark.store(tag, std::memory_order_relaxed);
    return false;
}

// Random text has hundreds of thousands of pieces a megabyte that never come again, and remembering one costs more than
// merging it. So a sample of all pieces, which is always remembered at first sight, tells whether it is worth it.
bool SpanEncoder::is_sample(PieceKey key) { return PieceTable::View::hash(key) % kSampleOneOf == 0; }

// Counts what of the sample is known from an earlier time; where most of what the front table lacks is known, it is not
// worth the look at each, and all of that is taken for it.
void SpanEncoder::note_returns(std::size_t n_unknown, Workspace& ws) const {
    begin_sample(ws);
    if (n_unknown * 4 < ws.n_missed) {
        ws.n_returned = (ws.n_missed - n_unknown) / kSampleOneOf;
        return;
    }
    for (std::size_t i = 0; i < ws.n_to_front; ++i) {
        const std::uint32_t k = ws.to_front[i];
        ws.n_returned += ws.found[k].count() > 1 && is_sample(ws.missed[k].key);
    }
}

void SpanEncoder::settle_returns(Workspace& ws) const {
    const std::size_t before = unreturned_.load(std::memory_order_relaxed), unreturned = before + ws.n_new;
    const std::size_t balanced = ws.n_returned * (keys_decide_ ? 1 : kWorthNew);
    const std::size_t after = std::min(unreturned - std::min(unreturned, balanced), 2 * kManyUnreturned);
    // Mostly it stays 0; to write that would take the cache line from all other threads.
    if (after != before) unreturned_.store(after, std::memory_order_relaxed);
    begin_sample(ws);
}

void SpanEncoder::begin_sample(Workspace& ws) const {
    ws.n_new = ws.n_returned = 0;
    ws.pieces_return = unreturned_.load(std::memory_order_relaxed) < kManyUnreturned;
}

// Whether a table's entry is of a token that comes from a whole span only: merging the same bytes inside a longer span
// gives others.
bool SpanEncoder::is_for_spans(KnownIds known) const {
    return known.n_ids == 1 && vocabulary_->options().ignore_merges && !vocabulary_->is_reachable(known.ids[0]);
}

// Symbols of a piece of bytes; unknown bytes are left out or become `unk`.
void SpanEncoder::byte_symbols(Bytes piece, std::vector<TokenId>& symbols) const {
    const Vocabulary& v = *vocabulary_;
    const ModelOptions& options = v.options();
    for (const std::uint8_t byte : piece) {
        TokenId symbol = v.byte_symbol(byte);
        if (symbol == kNoToken && options.byte_fallback) symbol = v.fallback_symbol(byte);
        if (symbol == kNoToken && options.unknown_is_error) {
            throw Error("byte " + std::to_string(byte) + " of the text is no token of the vocabulary");
        }
        if (symbol == kNoToken) symbol = options.unk;
        if (symbol == kNoToken) continue;
        if (symbol == options.unk && options.fuse_unk && !symbols.empty() && symbols.back() == symbol) continue;
        symbols.push_back(symbol);
    }
}

// Symbols of a piece of characters: the character, else its bytes, else `unk`, else nothing.
void SpanEncoder::char_symbols(Bytes piece, std::vector<TokenId>& symbols) const {
    const Vocabulary& v = *vocabulary_;
    const ModelOptions& options = v.options();
    for (std::size_t i = 0; i < piece.size();) {
        const Char c = decode_char(piece.data() + i, piece.size() - i);
        const TokenId symbol = c.code_point == kInvalid ? kNoToken : v.char_symbol(c.code_point);
        // U+2581 stands for a space whichever of the two the text has; its bytes are those of U+2581.
        static constexpr std::array<std::uint8_t, 3> kMetaspace{0xe2, 0x96, 0x81};
        const Bytes bytes = c.code_point == ' ' && options.metaspace ? Bytes(kMetaspace) : piece.subspan(i, c.n_bytes);
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

void SpanEncoder::find_symbols(Bytes piece, std::vector<TokenId>& symbols) const {
    symbols.clear();
    if (vocabulary_->options().alphabet == Alphabet::kBytes) {
        byte_symbols(piece, symbols);
    } else {
        char_symbols(piece, symbols);
    }
}

// The symbols of a short piece and the ranks of its neighbours.
template <unsigned kWidth>
void SpanEncoder::fill_lane(Bytes piece, MergeLane<kWidth>& lane, Workspace& ws) const {
    const Vocabulary& v = *vocabulary_;
    if (v.has_all_bytes()) {
        lane.spell(piece, v);
        return;
    }
    if (ascii_ && ascii_->spells(piece)) {
        lane.spell(piece, *ascii_);
        return;
    }
    find_symbols(piece, ws.symbols);
    const std::vector<TokenId>& symbols = ws.symbols;
    lane.begin(symbols.size());
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) v.pairs().ask(symbols[i], symbols[i + 1]);
    for (std::size_t i = 0; i < symbols.size(); ++i) lane.set_symbol(i, symbols[i]);
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        lane.set_rank(i, v.pairs().find(symbols[i], symbols[i + 1]));
    }
}

void SpanEncoder::backtrack(Bytes piece, Workspace& ws) const {
    const Vocabulary& v = *vocabulary_;
    std::call_once(prefixes_made_, [&] {
        prefixes_ = std::make_unique<const TokenPrefixes>(v);
        canonical_pairs_ = std::make_unique<CanonicalPairs>(v);
    });
    merge_backtrack(v, *prefixes_, *canonical_pairs_, piece, ws.symbols, ws.backtrack, ws.interrupt);
}

// ws.symbols: the ids of a piece of any length, merged anew.
void SpanEncoder::merge_piece(Bytes piece, Workspace& ws) const {
    const Vocabulary& v = *vocabulary_;
    if (pairs_decide_ && piece.size() > max_lane_bytes_) {
        ws.symbols.clear();
        if (!is_short_row(piece) && merge_windows(v, kernels_, piece, ws.wide_lanes, ws.symbols, ws.interrupt)) return;
        if (piece.size() >= kBacktrackBytes) {
            backtrack(piece, ws);
            return;
        }
    }
    if (piece.size() <= max_lane_bytes_) {
        fill_lane(piece, ws.wide_lanes[0], ws);
        kernels_.many(v.pairs(), v.results(), ws.wide_lanes, 1);
        ws.symbols.resize(piece.size());
        ws.symbols.resize(ws.wide_lanes[0].copy_ids(ws.symbols.data()));
        return;
    }
    find_symbols(piece, ws.symbols);
    if (ranks_decide_ && ws.symbols.size() <= MergeKernels::kMaxByRank &&
        (kernels_.passes_are_cheap || is_short_row(piece))) {
        ws.symbols.resize(kernels_.by_rank(v.pairs(), v.results(), ws.symbols.data(), ws.symbols.size()));
    } else {
        merge_tree(v.pairs(), v.results(), ws.symbols, ws.tree, 1, v.tied_orders(), ws.interrupt);
    }
    if (v.has_unused()) v.replace_unused(ws.symbols);
}

}  // namespace fissile
