#include "encode/superwords.hpp"

#include <algorithm>
#include <utility>

#include "vocab/vocabulary_parts.hpp"

namespace fissile {

namespace {

// How far ahead the ranks of joins are asked for.
constexpr std::size_t kAhead = 12;

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

std::unique_ptr<const SuperwordEncoder> SuperwordEncoder::of(const Vocabulary& v, std::size_t max_cache_bytes) {
    SecondStep step;
    if (!find_second_step(v, step)) return nullptr;
    const auto inside = static_cast<std::uint32_t>(v.n_results());
    const std::vector<Merge>& merges = v.merges();
    PairRanks joins(v.n_vocab(), 2 * (merges.size() - step.first), std::size_t{inside} + 1);
    for (std::size_t i = step.first; i < merges.size(); ++i) {
        joins.insert(step.closes[merges[i].left], step.begins[merges[i].right], inside);
    }
    for (std::size_t i = step.first; i < merges.size(); ++i) {
        const auto [left, right, result] = merges[i];
        if (!step.makes[left] && !step.makes[right]) joins.insert(left, right, v.pairs().find(left, right));
    }
    return std::unique_ptr<const SuperwordEncoder>(
        new SuperwordEncoder(v, first_step_of(v, step), std::move(joins), max_cache_bytes));
}

SuperwordEncoder::SuperwordEncoder(const Vocabulary& vocabulary, std::shared_ptr<const Vocabulary> first_step,
                                   PairRanks joins, std::size_t max_cache_bytes)
    : vocabulary_(vocabulary),
      kernels_(merge_kernels_for(chosen_isa())),
      words_(std::move(first_step), false, max_cache_bytes),
      joins_(std::move(joins)),
      inside_(static_cast<std::uint32_t>(vocabulary.n_results())) {}

template <class Sink>
void SuperwordEncoder::encode_spans(Bytes text, std::size_t begin, const std::uint32_t* ends, std::size_t n_spans,
                                    Workspace& ws, Sink& sink) const {
    ws.ids.clear();
    ws.ranks.clear();
    ws.n_whole = 0;
    std::size_t at = begin;
    for (std::size_t done = 0; done < n_spans;) {
        if (ws.spans.interrupt != nullptr) ws.spans.interrupt->check();
        // Words of as many spans as have room, the last of them perhaps not whole.
        const std::size_t from = at, first = done;
        std::size_t n_words = 0;
        while (done < n_spans && n_words < SpanEncoder::kSpans) {
            const ScanResult cut = words_.cuts().cut_words(text.first(ends[done]), at, ws.word_ends + n_words,
                                                           SpanEncoder::kSpans - n_words);
            n_words += cut.n_spans;
            at = cut.position;
            done += at == ends[done];
        }
        ws.words.clear();
        words_.encode_spans(text, from, ws.word_ends, n_words, ws.spans, ws.words);
        take_words(ends + first, done - first, n_words, ws);
        join(ws, sink);
    }
}

template void SuperwordEncoder::encode_spans(Bytes, std::size_t, const std::uint32_t*, std::size_t, Workspace&,
                                             IdArray&) const;
template void SuperwordEncoder::encode_spans(Bytes, std::size_t, const std::uint32_t*, std::size_t, Workspace&,
                                             IdCounter&) const;

// Puts the ids of some words behind those that wait, and finds out which of them join. n_spans spans end in them.
void SuperwordEncoder::take_words(const std::uint32_t* span_ends, std::size_t n_spans, std::size_t n_words,
                                  Workspace& ws) const {
    const std::size_t n_before = ws.ids.size();
    ws.ids.insert(ws.ids.end(), ws.words.data(), ws.words.data() + ws.words.size());
    const std::size_t n = ws.ids.size();
    ws.ranks.resize(n, kNoRank);
    if (n == 0) return;
    // The last id's neighbour is not known yet; that of the last id before has come.
    const TokenId* const ids = ws.ids.data();
    const std::size_t begin = n_before == 0 ? 0 : n_before - 1;
    for (std::size_t i = begin; i < std::min(begin + kAhead, n - 1); ++i) joins_.ask(ids[i], ids[i + 1]);
    for (std::size_t i = begin; i + 1 < n; ++i) {
        if (i + kAhead + 1 < n) joins_.ask(ids[i + kAhead], ids[i + kAhead + 1]);
        ws.ranks[i] = joins_.find(ids[i], ids[i + 1]);
    }
    // Nothing joins across the end of a span.
    std::size_t word = 0;
    for (std::size_t span = 0; span < n_spans; ++span) {
        while (ws.word_ends[word] != span_ends[span]) ++word;
        const std::size_t end = n_before + ws.words.ends()[word];
        if (end != 0) ws.ranks[end - 1] = kNoRank;
    }
    const bool at_end = n_spans != 0 && ws.word_ends[n_words - 1] == span_ends[n_spans - 1];
    ws.n_whole = at_end ? n : ws.n_whole;
    for (std::size_t i = n - 1; !at_end && i > begin; --i) {
        if (ws.ranks[i - 1] != kNoRank) continue;
        ws.n_whole = i;
        break;
    }
}

// Merges the runs that have ended, hands them on, and takes them away.
template <class Sink>
void SuperwordEncoder::join(Workspace& ws, Sink& sink) const {
    const std::size_t n = ws.n_whole;
    if (n == 0) return;
    TokenId* const ids = ws.ids.data();
    const std::uint32_t* const ranks = ws.ranks.data();
    const TokenId* const results = vocabulary_.results();
    const auto rank_of = [&](std::size_t i) { return ranks[i] == inside_ ? kNoRank : ranks[i]; };
    const auto run_end = [&](std::size_t i) {
        while (ranks[i] != kNoRank) ++i;
        return i + 1;
    };
    std::size_t n_lanes = 0;
    for (std::size_t i = 0; i < n;) {
        const std::size_t end = run_end(i), size = end - i;
        if (size >= 3 && size <= MergeLane<16>::kMaxSymbols) {
            if (ws.lanes.size() == n_lanes) ws.lanes.resize(2 * n_lanes + 16);
            MergeLane<16>& lane = ws.lanes[n_lanes++];
            lane.begin(size);
            for (std::size_t k = 0; k < size; ++k) lane.set_symbol(k, ids[i + k]);
            for (std::size_t k = 0; k + 1 < size; ++k) lane.set_rank(k, rank_of(i + k));
        }
        i = end;
    }
    kernels_.many(vocabulary_.pairs(), results, ws.lanes.data(), n_lanes);

    std::size_t n_out = 0;  // never beyond what has been read
    std::size_t lane = 0;
    for (std::size_t i = 0; i < n;) {
        if (ranks[i] == kNoRank) {
            ids[n_out++] = ids[i++];
            continue;
        }
        const std::size_t end = run_end(i), size = end - i;
        if (size == 2) {
            const std::uint32_t rank = rank_of(i);
            const TokenId left = ids[i], right = ids[i + 1];
            ids[n_out] = rank == kNoRank ? left : results[rank];
            ids[n_out + 1] = right;
            n_out += rank == kNoRank ? 2 : 1;
        } else if (size <= MergeLane<16>::kMaxSymbols) {
            n_out += ws.lanes[lane++].copy_ids(ids + n_out);
        } else {
            ws.run.assign(ids + i, ids + end);
            merge_tree(vocabulary_.pairs(), results, ws.run, ws.tree, 1, nullptr, ws.spans.interrupt);
            std::copy(ws.run.begin(), ws.run.end(), ids + n_out);
            n_out += ws.run.size();
        }
        i = end;
    }
    sink.append(ids, n_out);
    ws.ids.erase(ws.ids.begin(), ws.ids.begin() + static_cast<std::ptrdiff_t>(n));
    ws.ranks.erase(ws.ranks.begin(), ws.ranks.begin() + static_cast<std::ptrdiff_t>(n));
    ws.n_whole = 0;
}

}  // namespace fissile
