#include "train/merge_corpus.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cpu/portions.hpp"
#include "cpu/prefetch.hpp"
#include "merge/merge_tree.hpp"
#include "vocab/pair_ranks.hpp"

namespace fissile {

namespace {

constexpr std::size_t kAhead = 16;
constexpr std::size_t kCheckEvery = 1 << 14;

// Places of the entries in order of falling count: those with small counts, nearly all, by counting the counts.
std::vector<std::uint32_t> by_count(const std::uint64_t* counts, std::size_t n) {
    constexpr std::size_t kSmall = 1 << 16;
    if (n > 0xffffffffu) throw Error("more than 4294967295 distinct pretokens: train on a sample");
    std::vector<std::size_t> n_of(kSmall + 1);
    for (std::size_t i = 0; i < n; ++i) ++n_of[std::min<std::uint64_t>(counts[i], kSmall)];
    std::vector<std::size_t> begin(kSmall + 1);
    std::size_t total = 0;
    for (std::size_t c = kSmall + 1; c-- > 0;) {
        begin[c] = total;
        total += n_of[c];
    }
    std::vector<std::uint32_t> order(n);
    for (std::size_t i = 0; i < n; ++i) {
        order[begin[std::min<std::uint64_t>(counts[i], kSmall)]++] = static_cast<std::uint32_t>(i);
    }
    std::sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n_of[kSmall]),
        [counts](std::uint32_t a, std::uint32_t b) { return counts[a] != counts[b] ? counts[a] > counts[b] : a < b; });
    return order;
}

}  // namespace

MergeSequences sequences_of_bytes(const CountsView& pretokens, const std::array<TokenId, 256>& byte_ids,
                                  std::vector<std::uint64_t>& n_of, Interrupt& interrupt) {
    const std::vector<std::uint32_t> order = by_count(pretokens.counts, pretokens.n);
    std::uint64_t n_sequences = 0, n_tokens = 0;
    for (std::size_t i = 0; i < pretokens.n; ++i) {
        const std::size_t size = pretokens[i].size();
        if (size < 2) continue;
        ++n_sequences;
        n_tokens += size;
    }
    MergeSequences sequences(n_sequences, n_tokens);
    std::array<std::uint64_t, 256> n_of_byte{};
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (i + kAhead < order.size()) prefetch(pretokens[order[i + kAhead]].data());
        if (i % kCheckEvery == 0) interrupt.check_now();
        const Bytes pretoken = pretokens[order[i]];
        const std::uint64_t count = pretokens.counts[order[i]];
        for (const std::uint8_t byte : pretoken) n_of_byte[byte] += count;
        if (pretoken.size() < 2) continue;
        std::uint32_t* slot = sequences.add(pretoken.size(), count);
        for (const std::uint8_t byte : pretoken) *slot++ = byte_ids[byte];
    }
    for (std::size_t byte = 0; byte < 256; ++byte) {
        if (n_of_byte[byte] == 0) continue;
        if (byte_ids[byte] == kNoToken) {
            throw Error("byte " + std::to_string(byte) + " occurs in the corpus and is not in the alphabet");
        }
        n_of[byte_ids[byte]] += n_of_byte[byte];
    }
    sequences.finish();
    return sequences;
}

MergeSequences sequences_of_tokens(const CountsView& pretokens, const Encoder& encoder, unsigned n_threads,
                                   std::vector<std::uint64_t>& n_of, Interrupt& interrupt) {
    // Each worker's portion of pretokens, encoded; a round of portions is put in place before the next.
    struct Worker {
        Encoder::Workspace workspace;
        IdArray ids;
        std::vector<std::size_t> ends;
    };
    constexpr std::size_t kPortion = 4096;
    const std::vector<std::uint32_t> order = by_count(pretokens.counts, pretokens.n);
    MergeSequences sequences(pretokens.n, pretokens.n == 0 ? 0 : pretokens.ends[pretokens.n - 1]);
    std::vector<std::unique_ptr<Worker>> workers(n_threads);
    for (auto& worker : workers) {
        worker = std::make_unique<Worker>();
        worker->workspace.spans.interrupt = &interrupt;
    }
    for (std::size_t begin = 0; begin < order.size(); begin += kPortion * n_threads) {
        const std::size_t n = std::min(order.size() - begin, kPortion * n_threads);
        const std::size_t n_portions = (n + kPortion - 1) / kPortion;
        run_portions(n_portions, n_threads, interrupt, [&](unsigned, std::size_t portion) {
            Worker& w = *workers[portion];
            w.ids.clear();
            w.ends.clear();
            const std::size_t end = begin + std::min(n, (portion + 1) * kPortion);
            for (std::size_t i = begin + portion * kPortion; i < end; ++i) {
                if (i + kAhead < end) prefetch(pretokens[order[i + kAhead]].data());
                const Bytes pretoken = pretokens[order[i]];
                const auto span_end = static_cast<std::int64_t>(pretoken.size());
                if (span_end != 0) encoder.encode_spans(pretoken, &span_end, 1, w.workspace, w.ids);
                w.ends.push_back(w.ids.size());
            }
        });
        for (std::size_t portion = 0; portion < n_portions; ++portion) {
            const Worker& w = *workers[portion];
            std::size_t first = 0;
            for (std::size_t i = 0; i < w.ends.size(); ++i) {
                const TokenId* const ids = w.ids.data() + first;
                const std::size_t size = w.ends[i] - first;
                first = w.ends[i];
                const std::uint64_t count = pretokens.counts[order[begin + portion * kPortion + i]];
                for (std::size_t k = 0; k < size; ++k) n_of[ids[k]] += count;
                if (size < 2) continue;
                std::copy_n(ids, size, sequences.add(size, count));
            }
        }
    }
    sequences.finish();
    return sequences;
}

MergeSequences sequences_of_ids(const TokenId* ids, const std::uint64_t* ends, const std::uint64_t* counts,
                                std::size_t n, const std::vector<Merge>& merges, std::vector<std::uint64_t>& n_of,
                                Interrupt& interrupt) {
    const std::vector<std::uint32_t> order = by_count(counts, n);
    PairRanks pairs(n_of.size(), merges.size());
    std::vector<TokenId> results;
    for (const auto& [left, right, made] : merges) {
        for (const TokenId id : {left, right, made}) {
            if (id >= n_of.size()) throw Error("a merge names the id " + std::to_string(id) + ", which is no token");
        }
        pairs.insert(left, right, static_cast<std::uint32_t>(results.size()));
        results.push_back(made);
    }
    std::vector<TokenId> sequence;
    MergeTreeScratch scratch;
    MergeSequences sequences(n, n == 0 ? 0 : ends[n - 1]);
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (i % kCheckEvery == 0) interrupt.check_now();
        const std::uint64_t begin = order[i] == 0 ? 0 : ends[order[i] - 1];
        const std::uint64_t count = counts[order[i]];
        sequence.assign(ids + begin, ids + ends[order[i]]);
        for (const TokenId id : sequence) {
            if (id >= n_of.size()) throw Error("a sequence holds the id " + std::to_string(id) + ", which is no token");
        }
        if (!merges.empty()) {
            merge_tree(pairs, {results.data(), 0, false}, sequence, scratch, 1, nullptr, &interrupt);
        }
        for (const TokenId id : sequence) n_of[id] += count;
        if (sequence.size() < 2) continue;
        std::copy(sequence.begin(), sequence.end(), sequences.add(sequence.size(), count));
    }
    sequences.finish();
    return sequences;
}

}  // namespace fissile
