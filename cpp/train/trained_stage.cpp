#include "train/trained_stage.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <span>

namespace fissile {

namespace {

void check_ids(std::span<const Merge> merges, std::size_t n_ids) {
    for (const auto& [left, right, made] : merges) {
        if (std::max({left, right, made}) >= n_ids) throw Error("a merge names an id that is no token");
    }
}

}  // namespace

void TrainedStage::put_before(std::uint64_t n_tokens_then, const std::vector<Merge>& earlier,
                              const std::vector<std::uint64_t>& earlier_counts,
                              const std::vector<std::uint64_t>& earlier_joined) {
    if (earlier.size() != earlier_counts.size() || earlier.size() != earlier_joined.size()) {
        throw Error("as many counts and numbers of tokens made are needed as there are merges");
    }
    check_ids(earlier, initial.size());
    n_tokens = n_tokens_then;
    for (std::size_t i = 0; i < earlier.size(); ++i) {
        initial[earlier[i].result] -= earlier_joined[i];
        initial[earlier[i].left] += earlier_joined[i];
        initial[earlier[i].right] += earlier_joined[i];
    }
    merges.insert(merges.begin(), earlier.begin(), earlier.end());
    counts.insert(counts.begin(), earlier_counts.begin(), earlier_counts.end());
    joined.insert(joined.begin(), earlier_joined.begin(), earlier_joined.end());
}

std::vector<std::size_t> unneeded_merges(const std::vector<Merge>& merges, std::size_t n,
                                         const std::vector<std::uint64_t>& occurrences) {
    n = std::min(n, merges.size());
    check_ids(std::span(merges).first(n), occurrences.size());
    std::vector<bool> needed(occurrences.size());
    for (std::size_t id = 0; id < occurrences.size(); ++id) needed[id] = occurrences[id] != 0;
    std::vector<std::size_t> places;
    for (std::size_t i = n; i-- > 0;) {
        if (needed[merges[i].result]) {
            needed[merges[i].left] = needed[merges[i].right] = true;
        } else {
            places.push_back(i);
        }
    }
    std::reverse(places.begin(), places.end());
    return places;
}

StageReport report_on(const TrainedStage& stage, const std::vector<std::uint32_t>& lengths, std::uint64_t n_bytes,
                      std::size_t n_longest) {
    if (stage.initial.size() > lengths.size()) throw Error("there are fewer tokens than the stage began with");
    check_ids(stage.merges, lengths.size());
    StageReport report;
    report.occurrences = stage.initial;
    report.occurrences.resize(lengths.size());
    // After each merge. One that makes an old token does not change the size.
    std::vector<std::uint64_t> sizes{stage.n_tokens};
    std::vector<std::uint64_t> left{std::accumulate(stage.initial.begin(), stage.initial.end(), std::uint64_t{0})};
    for (std::size_t i = 0; i < stage.merges.size(); ++i) {
        const auto& [first, second, made] = stage.merges[i];
        const std::uint64_t joined = stage.joined[i];
        report.occurrences[made] += joined;
        report.occurrences[first] -= joined;
        report.occurrences[second] -= joined;
        sizes.push_back(std::max<std::uint64_t>(sizes.back(), std::uint64_t{made} + 1));
        left.push_back(left.back() - joined);
    }
    const auto add_point = [&](std::uint64_t size) {
        const auto place = std::upper_bound(sizes.begin(), sizes.end(), size) - sizes.begin() - 1;
        const auto i = static_cast<std::size_t>(place);
        report.curve.emplace_back(sizes[i], static_cast<double>(n_bytes) / static_cast<double>(left[i]));
    };
    for (std::uint64_t size = std::bit_ceil(stage.n_tokens + 1); size < sizes.back(); size *= 2) add_point(size);
    add_point(sizes.back());
    std::vector<TokenId> order;
    for (std::size_t id = 0; id < lengths.size(); ++id) {
        if (lengths[id] == 0) continue;
        order.push_back(static_cast<TokenId>(id));
        if (report.occurrences[id] == 0) report.unused.push_back(static_cast<TokenId>(id));
    }
    const auto n = static_cast<std::ptrdiff_t>(std::min(n_longest, order.size()));
    std::partial_sort(order.begin(), order.begin() + n, order.end(),
                      [&](TokenId x, TokenId y) { return lengths[x] != lengths[y] ? lengths[x] > lengths[y] : x < y; });
    report.longest.assign(order.begin(), order.begin() + n);
    return report;
}

}  // namespace fissile
