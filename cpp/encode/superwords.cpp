#include "encode/superwords.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "cpu/prefetch.hpp"
#include "merge/long_spans.hpp"
#include "vocab/vocabulary_parts.hpp"

namespace fissile {

namespace {

bool bit_at(const std::vector<std::uint64_t>& bits, std::size_t i) { return (bits[i / 64] >> (i % 64) & 1) != 0; }

void set_bits(std::vector<std::uint64_t>& bits, std::size_t from, std::size_t n) {
    for (std::size_t i = from; i < from + n; ++i) bits[i / 64] |= std::uint64_t{1} << (i % 64);
}

// The same for n below 64, without a jump; there is a word behind.
void set_few_bits(std::vector<std::uint64_t>& bits, std::size_t from, std::size_t n) {
    const std::uint64_t ones = (std::uint64_t{1} << n) - 1;
    bits[from / 64] |= ones << (from % 64);
    bits[from / 64 + 1] |= ones >> 1 >> (63 - from % 64);
}

void clear_bit(std::vector<std::uint64_t>& bits, std::size_t i) { bits[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }

// The first place from i on whose bit is not set.
std::size_t first_clear(const std::vector<std::uint64_t>& bits, std::size_t i) {
    std::uint64_t clear = ~bits[i / 64] >> (i % 64);
    if (clear != 0) return i + static_cast<std::size_t>(std::countr_zero(clear));
    std::size_t word = i / 64 + 1;
    while (bits[word] == ~std::uint64_t{0}) ++word;
    return word * 64 + static_cast<std::size_t>(std::countr_one(bits[word]));
}

// Three ids as a piece of nine bytes; an id has at most 24 bits (PairRanks).
PieceKey key_of_three(const TokenId* ids) {
    return {ids[0] | std::uint64_t{ids[1]} << 24 | std::uint64_t{ids[2]} << 48, ids[2] >> 16 | std::uint64_t{9} << 56};
}

bool is_white(std::uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

// Whether a word ends inside the token: a space follows something else.
bool joins_words(Bytes token) {
    for (std::size_t i = 1; i < token.size(); ++i) {
        if (token[i] == ' ' && !is_white(token[i - 1])) return true;
    }
    return false;
}

// The merges of the second step, and what they do at their middles.
struct SecondStep {
    std::size_t first = 0;                // index of its first merge
    std::vector<bool> makes;              // of each id, whether one of its merges makes it
    std::vector<TokenId> begins, closes;  // of each id, the first and the last id of the first step in it
};

// False where the merges do not come in two steps: a later one makes what an earlier one takes or makes.
bool find_second_step(const Vocabulary& v, SecondStep& step) {
    const ModelOptions& options = v.options();
    if (options.alphabet != Alphabet::kBytes || !v.has_all_bytes() || options.ignore_merges ||
        v.tied_orders() != nullptr || v.has_unused() || !v.merges_are_ordered()) {
        return false;
    }
    const std::vector<Merge> merges = v.merges();
    const auto found = std::find_if(merges.begin(), merges.end(),
                                    [&](const Merge& merge) { return joins_words(v.token_bytes(merge.result)); });
    if (found == merges.end()) return false;
    step.first = static_cast<std::size_t>(found - merges.begin());
    step.makes.assign(v.n_vocab(), false);
    step.begins.resize(v.n_vocab());
    for (TokenId id = 0; id < v.n_vocab(); ++id) step.begins[id] = id;
    step.closes = step.begins;

    std::vector<bool> known(v.n_vocab(), false);  // taken or made by the first step
    for (unsigned byte = 0; byte < 256; ++byte) known[v.byte_symbol(static_cast<std::uint8_t>(byte))] = true;
    std::uint32_t last_rank = 0;
    for (std::size_t i = 0; i < merges.size(); ++i) {
        const auto [left, right, result] = merges[i];
        const std::uint32_t rank = v.pairs().find(left, right);
        if (rank == kNoRank || v.results()[rank] != result || (i != 0 && rank <= last_rank)) return false;
        last_rank = rank;
        if (i < step.first) {
            known[left] = known[right] = known[result] = true;
            continue;
        }
        if (known[result] || step.makes[result]) return false;
        step.makes[result] = true;
        step.begins[result] = step.begins[left];
        step.closes[result] = step.closes[right];
    }
    // An id that a later merge takes has been made before, or its ends would not be known above.
    for (std::size_t i = step.first; i < merges.size(); ++i) {
        const auto [left, right, result] = merges[i];
        if (step.begins[result] != step.begins[left] || step.closes[result] != step.closes[right]) return false;
    }
    return true;
}

// The vocabulary with the merges of the first step alone; what the others make is never made.
std::shared_ptr<const Vocabulary> first_step_of(const Vocabulary& v, const SecondStep& step) {
    VocabularyParts parts = parts_of(v, VocabularyParts::Rule::kMerges);
    parts.merges.resize(step.first);
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        if (step.makes[id]) parts.roles[id] = VocabularyParts::kOpaque;
    }
    return vocabulary_from_parts(parts, VocabularyParts::Rule::kMerges, v.options(), "the first step of SuperBPE");
}

}  // namespace

std::unique_ptr<const SuperwordEncoder> SuperwordEncoder::of(const Vocabulary& v, std::size_t max_cache_bytes) {
    SecondStep step;
    if (!find_second_step(v, step)) return nullptr;
    const std::vector<Merge> merges = v.merges();
    const std::size_t n_merges = merges.size() - step.first;
    PairFilter filter(n_merges);
    PairRanks later(v.n_vocab(), n_merges, v.n_results());
    for (std::size_t i = step.first; i < merges.size(); ++i) {
        const auto [left, right, result] = merges[i];
        filter.insert(step.closes[left], step.begins[right]);
        later.insert(left, right, v.pairs().find(left, right));
    }
    return std::unique_ptr<const SuperwordEncoder>(
        new SuperwordEncoder(v, first_step_of(v, step), std::move(filter), std::move(later), max_cache_bytes));
}

SuperwordEncoder::SuperwordEncoder(const Vocabulary& vocabulary, std::shared_ptr<const Vocabulary> first_step,
                                   PairFilter filter, PairRanks later, std::size_t max_cache_bytes)
    : vocabulary_(vocabulary),
      merges_(merge_kernels_for(chosen_isa())),
      kernels_(join_kernels_for(chosen_isa())),
      words_(first_step, false, max_cache_bytes / 4 * 3),
      cuts_(*first_step, false),
      filter_(std::move(filter)),
      later_(std::move(later)),
      triples_(vocabulary.n_vocab() / 4, max_cache_bytes / 4) {}

template <class Sink>
void SuperwordEncoder::encode_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans,
                                    Workspace& ws, Sink& sink) const {
    ws.ids.clear();
    ws.joins.clear();
    std::size_t at = begin;
    for (std::size_t done = 0; done < n_spans;) {
        if (ws.spans.interrupt != nullptr) ws.spans.interrupt->check();
        const std::size_t n_before = ws.ids.size();
        ws.n_ended = 0;
        for (std::size_t round = 0; round < Workspace::kRounds && done < n_spans; ++round) {
            // Words of as many spans as have room, the last of them perhaps not whole.
            const std::size_t from = at, n_pieces = ws.ids.ends().size(), ended = ws.n_ended;
            std::size_t n_words = 0;
            while (done < n_spans && n_words + 64 <= SpanEncoder::kSpans) {
                const ScanResult cut =
                    cuts_.cut(text.first(ends[done]), at, ws.word_ends + n_words, SpanEncoder::kSpans - n_words);
                n_words += cut.n_spans;
                at = cut.position;
                if (at != ends[done]) break;
                ws.last_pieces[ws.n_ended++] = static_cast<std::uint32_t>(n_pieces + n_words - 1);
                ++done;
            }
            encode_words(text, from, n_words, ended, ws);
        }
        const std::size_t n_whole = find_joins(n_before, done != 0 && at == ends[done - 1], ws);
        divide(n_whole, ws);
        look_up_triples(ws);
        join_pairs(n_whole, ws);
        join_runs(ws);
        sink.append(ws.ids.data(), kernels_.take_out(ws.ids.data(), n_whole, ws.gone.data()));
        wait_for_more(n_whole, ws);
    }
}

template void SuperwordEncoder::encode_spans(Bytes, std::size_t, const std::uint32_t*, std::size_t, Workspace&,
                                             IdArray&) const;
template void SuperwordEncoder::encode_spans(Bytes, std::size_t, const std::uint32_t*, std::size_t, Workspace&,
                                             IdCounter&) const;

// Keeps the ids whose run has not ended.
void SuperwordEncoder::wait_for_more(std::size_t n_whole, Workspace& ws) {
    ws.ids.drop_first(n_whole);
    if (n_whole == 0) return;
    ws.joins.assign(ws.ids.size() / 64 + 1, 0);
    if (ws.ids.size() != 0) set_bits(ws.joins, 0, ws.ids.size() - 1);
}

// The first step: appends the ids of ws.word_ends. Words that are too long for the piece table are cut exactly first;
// then spans end with other pieces, from ws.last_pieces[ended] on.
void SuperwordEncoder::encode_words(Bytes text, std::size_t begin, std::size_t n_words, std::size_t ended,
                                    Workspace& ws) const {
    if (!has_long_span(begin, ws.word_ends, n_words)) {
        words_.encode_spans(text, begin, ws.word_ends, n_words, ws.spans, ws.ids);
        return;
    }
    const std::size_t n_pieces = ws.ids.ends().size();
    std::size_t from = begin, at = begin;
    std::size_t n = 0, n_taken = 0;
    for (std::size_t word = 0; word < n_words;) {
        const std::size_t end = ws.word_ends[word];
        if (end - at <= kMaxInlinePiece) {
            ws.piece_ends[n++] = static_cast<std::uint32_t>(end);
            at = end;
        } else {
            const ScanResult cut =
                words_.cuts().cut_words(text.first(end), at, ws.piece_ends + n, SpanEncoder::kSpans - n);
            n += cut.n_spans;
            at = cut.position;
        }
        if (at == end) {
            if (ended < ws.n_ended && ws.last_pieces[ended] == n_pieces + word) {
                ws.last_pieces[ended++] = static_cast<std::uint32_t>(n_pieces + n_taken + n - 1);
            }
            ++word;
        }
        if (n == SpanEncoder::kSpans || word == n_words) {
            words_.encode_spans(text, from, ws.piece_ends, n, ws.spans, ws.ids);
            from = at;
            n_taken += n;
            n = 0;
        }
    }
}

// Finds out which ids may join. n_before of them are the beginning of a run. Returns the number of ids whose run has
// ended.
std::size_t SuperwordEncoder::find_joins(std::size_t n_before, bool at_end, Workspace& ws) const {
    const TokenId* const ids = ws.ids.data();
    const std::size_t n = ws.ids.size();
    const std::size_t first_new = n_before == 0 ? 0 : n_before - 1;
    std::vector<std::uint64_t>& joins = ws.joins;
    joins.resize(n / 64 + 2);
    kernels_.find_joins(filter_, ids, first_new, n, joins.data());
    // Nothing joins across the end of a span.
    for (std::size_t i = 0; i < ws.n_ended; ++i) {
        const std::size_t end = ws.ids.ends()[ws.last_pieces[i]];
        if (end != 0) clear_bit(joins, end - 1);
    }
    std::size_t n_whole = n;
    if (!at_end) {
        n_whole = 0;
        for (std::size_t i = n; i > first_new + 1 && n_whole == 0; --i) {
            if (!bit_at(joins, i - 2)) n_whole = i - 1;
        }
    }
    return n_whole;
}

// Divides the first n ids into runs: those of two are marked in ws.wanted, others listed.
void SuperwordEncoder::divide(std::size_t n, Workspace& ws) const {
    const std::size_t n_words = (n + 63) / 64;
    if (ws.ranked.size() < n_words) {
        ws.ranked.resize(n_words);
        ws.ranks.resize(n_words * 64);
        ws.triples.resize(n_words * 32);
        ws.runs.resize(n_words * 32);
    }
    ws.wanted.assign(n_words + 1, 0);
    ws.gone.assign(n_words + 1, 0);
    ws.n_triples = ws.n_runs = 0;
    std::uint64_t before = 0;
    for (std::size_t word = 0; word < n_words; ++word) {
        // Behind the first n ids are those of a run that waits.
        const std::uint64_t valid = n - word * 64 < 64 ? ~(~std::uint64_t{0} << (n - word * 64)) : ~std::uint64_t{0};
        const std::uint64_t joins = ws.joins[word];
        const std::uint64_t starts = joins & ~(joins << 1 | before) & valid;
        const std::uint64_t goes_on = joins >> 1 | ws.joins[word + 1] << 63;
        before = joins >> 63;
        ws.wanted[word] |= starts & ~goes_on;
        for (std::uint64_t left = starts & goes_on; left != 0; left &= left - 1) {
            const std::size_t begin = word * 64 + static_cast<std::size_t>(std::countr_zero(left));
            const std::size_t size = first_clear(ws.joins, begin) + 1 - begin;
            // Which of the two it is follows no rule, so both are written.
            ws.triples[ws.n_triples].begin = static_cast<std::uint32_t>(begin);
            ws.runs[ws.n_runs] = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(size)};
            ws.n_triples += size == 3;
            ws.n_runs += size != 3;
        }
    }
    for (std::size_t i = 0; i < ws.n_runs; ++i) set_bits(ws.wanted, ws.runs[i].begin, ws.runs[i].size - 1);
}

// Joins the runs of three that are known; ws.runs gets the others.
void SuperwordEncoder::look_up_triples(Workspace& ws) const {
    TokenId* const ids = ws.ids.data();
    const PieceTable::View view = triples_.view();
    for (std::size_t i = 0; i < ws.n_triples; ++i) {
        Workspace::Triple& triple = ws.triples[i];
        triple.key = key_of_three(ids + triple.begin);
        triple.bucket = view.bucket(PieceTable::View::hash(triple.key));
        prefetch(triple.bucket);
    }
    for (std::size_t i = 0; i < ws.n_triples; ++i) {
        const Workspace::Triple& triple = ws.triples[i];
        const PieceTable::Entry* entry = PieceTable::View::find_in_bucket(triple.bucket, triple.key);
        if (entry == nullptr) entry = view.find_beyond(triple.bucket, triple.key);
        if (entry == nullptr) {
            set_few_bits(ws.wanted, triple.begin, 2);
            ws.runs[ws.n_runs++] = {triple.begin, 3};
            continue;
        }
        // Of the three places, those beyond what is left may hold anything.
        std::uint64_t words[2];
        PieceTable::copy_ids(*entry, words);
        std::memcpy(ids + triple.begin, &words[0], sizeof words[0]);
        ids[triple.begin + 2] = static_cast<TokenId>(words[1]);
        const std::size_t n_left = PieceTable::n_ids(*entry);
        set_few_bits(ws.gone, triple.begin + n_left, 3 - n_left);
    }
}

// Joins the runs of two among the first n ids.
void SuperwordEncoder::join_pairs(std::size_t n, Workspace& ws) const {
    TokenId* const ids = ws.ids.data();
    const MergeResults results = vocabulary_.results();
    const std::size_t n_words = (n + 63) / 64;
    kernels_.find_ranks(later_, ids, n_words, ws.wanted.data(), ws.ranks.data(), ws.ranked.data());
    std::uint64_t before = 0;
    for (std::size_t word = 0; word < n_words; ++word) {
        const std::uint64_t joins = ws.joins[word];
        const std::uint64_t alone = joins & ~(joins << 1 | before | joins >> 1 | ws.joins[word + 1] << 63);
        before = joins >> 63;
        std::uint64_t pairs = alone & ws.ranked[word];
        ws.gone[word] |= pairs << 1;
        ws.gone[word + 1] |= pairs >> 63;
        for (; pairs != 0; pairs &= pairs - 1) {
            const std::size_t i = word * 64 + static_cast<std::size_t>(std::countr_zero(pairs));
            ids[i] = results[ws.ranks[i]];
        }
    }
}

// Merges the runs that are left, and remembers those of three.
void SuperwordEncoder::join_runs(Workspace& ws) const {
    TokenId* const ids = ws.ids.data();
    const MergeResults results = vocabulary_.results();
    if (ws.lanes.size() < ws.n_runs) ws.lanes.resize(ws.n_runs);
    std::size_t n_lanes = 0;
    for (std::size_t i = 0; i < ws.n_runs; ++i) {
        const std::size_t begin = ws.runs[i].begin, size = ws.runs[i].size;
        if (size > MergeLane<16>::kMaxSymbols) continue;
        MergeLane<16>& lane = ws.lanes[n_lanes++];
        lane.begin(size);
        for (std::size_t k = 0; k < size; ++k) lane.set_symbol(k, ids[begin + k]);
        for (std::size_t k = 0; k + 1 < size; ++k) lane.set_rank(k, ws.ranks[begin + k]);
    }
    merges_.many(later_, results, ws.lanes.data(), n_lanes);

    const MergeLane<16>* lane = ws.lanes.data();
    for (std::size_t i = 0; i < ws.n_runs; ++i) {
        const Workspace::Run run = ws.runs[i];
        const PieceKey key = key_of_three(ids + run.begin);
        std::size_t n_left;
        if (run.size <= MergeLane<16>::kMaxSymbols) {
            n_left = lane++->copy_ids(ids + run.begin);
        } else {
            ws.run.assign(ids + run.begin, ids + run.begin + run.size);
            merge_tree(later_, results, ws.run, ws.tree, 1, nullptr, ws.spans.interrupt);
            std::copy(ws.run.begin(), ws.run.end(), ids + run.begin);
            n_left = ws.run.size();
        }
        set_bits(ws.gone, run.begin + n_left, run.size - n_left);
        if (run.size == 3) triples_.insert(key, ids + run.begin, n_left);
    }
}

}  // namespace fissile
