// Pieces to ids by merging alone, by the length of the pieces, as the encoder picks kernels by it.
#include <array>

#include "merge/merge_backtrack.hpp"
#include "merge/merge_short.hpp"
#include "merge/merge_tree.hpp"
#include "merge/merge_windows.hpp"
#include "stage.hpp"
#include "vocab/token_prefixes.hpp"

namespace micro {

namespace {

// Pieces of one length from all over the text, at the begins of pretokens: some hundred kilobytes of them.
std::vector<Bytes> pieces_of(const Workload& w, std::size_t n_bytes) {
    std::vector<Bytes> pieces;
    const std::size_t wanted = std::size_t{200000} / n_bytes + 1, step = w.ends.size() / wanted + 1;
    for (std::size_t i = 0; i < w.ends.size(); i += step) {
        if (w.ends[i] + n_bytes <= w.bytes().size()) pieces.push_back(w.bytes().subspan(w.ends[i], n_bytes));
    }
    return pieces;
}

// Number of merges done.
template <unsigned kWidth>
std::uint64_t merge_in_lanes(const Workload& w, const std::vector<Bytes>& pieces,
                             std::vector<MergeLane<kWidth>>& lanes) {
    const Vocabulary& v = *w.vocabulary;
    const MergeKernels& kernels = merge_kernels_for(chosen_isa());
    std::uint64_t n_merges = 0;
    for (std::size_t first = 0; first < pieces.size(); first += lanes.size()) {
        const std::size_t n = std::min(lanes.size(), pieces.size() - first);
        for (std::size_t k = 0; k < n; ++k) {
            const Bytes piece = pieces[first + k];
            lanes[k].begin(piece.size());
            for (std::size_t i = 0; i < piece.size(); ++i) lanes[k].set_symbol(i, v.byte_symbol(piece[i]));
            for (std::size_t i = 0; i + 1 < piece.size(); ++i) {
                lanes[k].set_rank(i, v.byte_pair_rank(piece[i], piece[i + 1]));
            }
        }
        kernels.many(v.pairs(), v.results(), lanes.data(), n);
        for (std::size_t k = 0; k < n; ++k) n_merges += pieces[first + k].size() - lanes[k].n_symbols();
    }
    return n_merges;
}

template <unsigned kWidth>
Stage in_lanes(const Workload& w, std::size_t n_bytes) {
    const auto pieces = std::make_shared<const std::vector<Bytes>>(pieces_of(w, n_bytes));
    const auto lanes = std::make_shared<std::vector<MergeLane<kWidth>>>(kWidth == 16 ? 64 : 16);
    return {
        "merge pieces of " + std::to_string(n_bytes) + " bytes", "merge", "two pair lookups", {}, [&w, pieces, lanes] {
            return merge_in_lanes<kWidth>(w, *pieces, *lanes);
        }};
}

// Pieces one after another, each by `encode(piece, ids)`. All in merges, as those that the ids stand for, so that the
// ways to encode a long piece can be compared.
template <class Encode>
Stage one_by_one(const Workload& w, const std::string& name, std::size_t n_bytes, const Encode& encode) {
    const auto pieces = std::make_shared<const std::vector<Bytes>>(pieces_of(w, n_bytes));
    return {
        name + " pieces of " + std::to_string(n_bytes) + " bytes", "merge", "two pair lookups", {}, [pieces, encode] {
            std::uint64_t n_merges = 0;
            std::vector<TokenId> ids;
            for (const Bytes piece : *pieces) {
                ids.clear();
                encode(piece, ids);
                n_merges += piece.size() - ids.size();
            }
            return n_merges;
        }};
}

}  // namespace

std::vector<Stage> merge_stages(const Workload& w) {
    std::vector<Stage> stages;
    if (!w.vocabulary->has_all_bytes()) return stages;
    for (const std::size_t n_bytes : {3, 6, 10, 15}) stages.push_back(in_lanes<16>(w, n_bytes));
    for (const std::size_t n_bytes : {30, 60}) stages.push_back(in_lanes<64>(w, n_bytes));
    const Vocabulary& v = *w.vocabulary;
    const auto tree = std::make_shared<MergeTreeScratch>();
    for (const std::size_t n_bytes : {100, 250, 500, 4000}) {
        stages.push_back(one_by_one(w, "merge", n_bytes, [&v, tree](Bytes piece, std::vector<TokenId>& ids) {
            for (const std::uint8_t byte : piece) ids.push_back(v.byte_symbol(byte));
            merge_tree(v.pairs(), v.results(), ids, *tree);
        }));
    }
    if (!v.merges_are_ordered()) return stages;
    const auto lanes = std::make_shared<std::vector<MergeLane<64>>>(kWindowLanes);
    const MergeKernels& kernels = merge_kernels_for(chosen_isa());
    for (const std::size_t n_bytes : {100, 250, 500, 4000}) {
        stages.push_back(
            one_by_one(w, "merge in windows", n_bytes, [&v, &kernels, lanes](Bytes piece, std::vector<TokenId>& ids) {
                merge_windows(v, kernels, piece, lanes->data(), ids);
            }));
    }
    for (const std::size_t n_bytes : {100, 250, 500}) {
        stages.push_back(
            one_by_one(w, "merge by rank", n_bytes, [&v, &kernels](Bytes piece, std::vector<TokenId>& ids) {
                for (const std::uint8_t byte : piece) ids.push_back(v.byte_symbol(byte));
                ids.resize(kernels.by_rank(v.pairs(), v.results(), ids.data(), ids.size()));
            }));
    }
    const auto prefixes = std::make_shared<const TokenPrefixes>(v);
    const auto pairs = std::make_shared<CanonicalPairs>(v);
    const auto scratch = std::make_shared<BacktrackScratch>();
    stages.push_back(
        one_by_one(w, "backtrack", 4000, [&v, prefixes, pairs, scratch](Bytes piece, std::vector<TokenId>& ids) {
            merge_backtrack(v, *prefixes, *pairs, piece, ids, *scratch);
        }));
    return stages;
}

}  // namespace micro
