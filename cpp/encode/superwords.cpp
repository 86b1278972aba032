#include "encode/superwords.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "encode/long_spans.hpp"
#include "vocab/vocabulary_parts.hpp"

namespace fissile {

namespace {

bool bit_at(const std::vector<std::uint64_t>& bits, std::size_t i) { return (bits[i / 64] >> (i % 64) & 1) != 0; }

void clear_bit(std::vector<std::uint64_t>& bits, std::size_t i) { bits[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }

// The first place from i on whose bit is not set.
std::size_t first_clear(const std::vector<std::uint64_t>& bits, std::size_t i) {
    std::uint64_t clear = ~bits[i / 64] >> (i % 64);
    if (clear != 0) return i + static_cast<std::size_t>(std::countr_zero(clear));
    std::size_t word = i / 64 + 1;
    while (bits[word] == ~std::uint64_t{0}) ++word;
    return word * 64 + static_cast<std::size_t>(std::countr_one(bits[word]));
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
    std::size_t first;                    // index of its first merge
    std::vector<bool> makes;              // of each id, whether one of its merges makes it
    std::vector<TokenId> begins, closes;  // of each id, the first and the last id of the first step in it
};

// False where the merges do not come in two steps: a later one makes what an earlier one takes or makes.
bool find_second_step(const Vocabulary& v, SecondStep& step) {
    const ModelOptions& options = v.options();
    const std::vector<Merge>& merges = v.merges();
    if (options.alphabet != Alphabet::kBytes || !v.has_all_bytes() || options.ignore_merges ||
        v.tied_orders() != nullptr || v.has_unused() || !v.merges_are_ordered()) {
        return false;
    }
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

SuperwordEncoder::PairFilter::PairFilter(std::size_t n_pairs) {
    // 16 to 32 bits a pair: one in 16 to 32 others is taken for one of them.
    const std::size_t n_bits = std::clamp(std::bit_ceil(n_pairs * 16), std::size_t{1} << 10, std::size_t{1} << 28);
    words_.assign(n_bits / 32, 0);
    shift_ = static_cast<unsigned>(32 - std::countr_zero(n_bits));
}

void SuperwordEncoder::PairFilter::insert(TokenId left, TokenId right) noexcept {
    const std::uint32_t h = hash(left, right);
    words_[h >> 5] |= std::uint32_t{1} << (h & 31);
}

std::unique_ptr<const SuperwordEncoder> SuperwordEncoder::of(const Vocabulary& v, std::size_t max_cache_bytes) {
    SecondStep step;
    if (!find_second_step(v, step)) return nullptr;
    const std::vector<Merge>& merges = v.merges();
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
      kernels_(merge_kernels_for(chosen_isa())),
      words_(first_step, false, max_cache_bytes),
      cuts_(*first_step, false),
      filter_(std::move(filter)),
      later_(std::move(later)) {}

template <class Sink>
void SuperwordEncoder::encode_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans,
                                    Workspace& ws, Sink& sink) const {
    ws.ids.clear();
    ws.joins.clear();
    std::size_t at = begin;
    for (std::size_t done = 0; done < n_spans;) {
        if (ws.spans.interrupt != nullptr) ws.spans.interrupt->check();
        // Words of as many spans as have room, the last of them perhaps not whole.
        const std::size_t from = at;
        std::size_t n_words = 0;
        ws.n_ended = 0;
        while (done < n_spans && n_words + 64 <= SpanEncoder::kSpans) {
            const ScanResult cut =
                cuts_.cut(text.first(ends[done]), at, ws.word_ends + n_words, SpanEncoder::kSpans - n_words);
            n_words += cut.n_spans;
            at = cut.position;
            if (at != ends[done]) break;
            ws.last_pieces[ws.n_ended++] = static_cast<std::uint32_t>(n_words - 1);
            ++done;
        }
        const std::size_t n_before = ws.ids.size();
        encode_words(text, from, n_words, ws);
        const std::size_t n_whole = find_runs(n_before, done != 0 && at == ends[done - 1], ws);
        join_pairs(ws);
        join_runs(ws);
        sink.append(ws.ids.data(), take_out_gone(n_whole, ws));
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
    for (std::size_t i = 0; i + 1 < ws.ids.size(); ++i) ws.joins[i / 64] |= std::uint64_t{1} << (i % 64);
}

// The first step: appends the ids of ws.word_ends. Words that are too long for the piece table are cut exactly first.
void SuperwordEncoder::encode_words(Bytes text, std::size_t begin, std::size_t n_words, Workspace& ws) const {
    if (!has_long_span(begin, ws.word_ends, n_words)) {
        words_.encode_spans(text, begin, ws.word_ends, n_words, ws.spans, ws.ids);
        return;
    }
    std::size_t from = begin, at = begin;
    std::size_t n = 0, n_before = 0, ended = 0;
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
            if (ended < ws.n_ended && ws.last_pieces[ended] == word) {
                ws.last_pieces[ended++] = static_cast<std::uint32_t>(n_before + n - 1);
            }
            ++word;
        }
        if (n == SpanEncoder::kSpans || word == n_words) {
            words_.encode_spans(text, from, ws.piece_ends, n, ws.spans, ws.ids);
            from = at;
            n_before += n;
            n = 0;
        }
    }
}

// Finds out which ids may join, and where the runs of them begin. n_before of them are the beginning of a run. Returns
// the number of ids whose run has ended.
std::size_t SuperwordEncoder::find_runs(std::size_t n_before, bool at_end, Workspace& ws) const {
    const TokenId* const ids = ws.ids.data();
    const std::size_t n = ws.ids.size();
    const std::size_t first_new = n_before == 0 ? 0 : n_before - 1;
    std::vector<std::uint64_t>& joins = ws.joins;
    joins.resize(n / 64 + 2);
    for (std::size_t i = first_new; i + 1 < n; ++i) {
        joins[i / 64] |= std::uint64_t{filter_.may_hold(ids[i], ids[i + 1])} << (i % 64);
    }
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

    ws.gone.assign(n_whole / 64 + 1, 0);
    ws.pairs.clear();
    ws.runs.clear();
    std::uint64_t before = 0;
    for (std::size_t word = 0; word * 64 < n_whole; ++word) {
        const std::uint64_t bits = joins[word];
        std::uint64_t starts = bits & ~(bits << 1 | before);
        const std::uint64_t goes_on = bits >> 1 | joins[word + 1] << 63;
        before = bits >> 63;
        for (; starts != 0; starts &= starts - 1) {
            const std::uint64_t start = starts & (~starts + 1);
            const std::size_t i = word * 64 + static_cast<std::size_t>(std::countr_zero(start));
            if (i >= n_whole) break;
            ((start & goes_on) != 0 ? ws.runs : ws.pairs).push_back(static_cast<std::uint32_t>(i));
        }
    }
    return n_whole;
}

void SuperwordEncoder::join_pairs(Workspace& ws) const {
    TokenId* const ids = ws.ids.data();
    const TokenId* const results = vocabulary_.results();
    for (const std::uint32_t i : ws.pairs) later_.ask(ids[i], ids[i + 1]);
    for (const std::uint32_t i : ws.pairs) {
        const std::uint32_t rank = later_.find(ids[i], ids[i + 1]);
        if (rank == kNoRank) continue;
        ids[i] = results[rank];
        ws.gone[(i + 1) / 64] |= std::uint64_t{1} << ((i + 1) % 64);
    }
}

void SuperwordEncoder::join_runs(Workspace& ws) const {
    TokenId* const ids = ws.ids.data();
    const TokenId* const results = vocabulary_.results();
    for (const std::uint32_t start : ws.runs) {
        for (std::size_t i = start; bit_at(ws.joins, i); ++i) later_.ask(ids[i], ids[i + 1]);
    }
    if (ws.lanes.size() < ws.runs.size()) ws.lanes.resize(ws.runs.size());
    std::size_t n_lanes = 0;
    for (const std::uint32_t start : ws.runs) {
        const std::size_t size = first_clear(ws.joins, start) + 1 - start;
        if (size > MergeLane<16>::kMaxSymbols) continue;
        MergeLane<16>& lane = ws.lanes[n_lanes++];
        lane.begin(size);
        for (std::size_t k = 0; k < size; ++k) lane.set_symbol(k, ids[start + k]);
        for (std::size_t k = 0; k + 1 < size; ++k) lane.set_rank(k, later_.find(ids[start + k], ids[start + k + 1]));
    }
    kernels_.many(later_, results, ws.lanes.data(), n_lanes);

    const MergeLane<16>* lane = ws.lanes.data();
    for (const std::uint32_t start : ws.runs) {
        const std::size_t end = first_clear(ws.joins, start) + 1;
        std::size_t kept = start;
        if (end - start <= MergeLane<16>::kMaxSymbols) {
            kept += lane++->copy_ids(ids + start);
        } else {
            ws.run.assign(ids + start, ids + end);
            merge_tree(later_, results, ws.run, ws.tree, 1, nullptr, ws.spans.interrupt);
            std::copy(ws.run.begin(), ws.run.end(), ids + start);
            kept += ws.run.size();
        }
        for (std::size_t i = kept; i < end; ++i) ws.gone[i / 64] |= std::uint64_t{1} << (i % 64);
    }
}

// Moves those of the first n ids that are not gone together; returns how many.
std::size_t SuperwordEncoder::take_out_gone(std::size_t n, Workspace& ws) {
    TokenId* const ids = ws.ids.data();
    std::size_t n_left = 0;
    for (std::size_t i = 0; i < n; ++i) {
        ids[n_left] = ids[i];
        n_left += !bit_at(ws.gone, i);
    }
    return n_left;
}

}  // namespace fissile
