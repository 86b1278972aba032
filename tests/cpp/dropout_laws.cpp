// Long words merged with merges left out by the laws of the paper and of sentencepiece: rank by rank, and by a tree
// where ranks are too many for that. The same ids as by looking through all neighbours for each merge.
#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "check.hpp"
#include "stochastic/dropout_laws.hpp"
#include "stochastic/split_model.hpp"
#include "vocab/rank_file.hpp"

using namespace fissile;

namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";

// Tokens of all pairs of letters, so that a word has hundreds of ranks, rows of one letter, and others.
std::shared_ptr<const Vocabulary> vocabulary(std::mt19937& random) {
    RankTokens tokens;
    TokenId rank = 0;
    for (int byte = 0; byte < 256; ++byte) {
        const auto b = static_cast<std::uint8_t>(byte);
        tokens.add({&b, 1}, rank++);
    }
    std::vector<std::string> strings;
    for (const char left : kLetters) {
        for (const char right : kLetters) strings.push_back({left, right});
    }
    std::shuffle(strings.begin(), strings.end(), random);
    for (std::size_t size = 3; size <= 20; ++size) strings.emplace_back(size, 'a');
    std::set<std::string> known(strings.begin(), strings.end());
    while (strings.size() < 3000) {
        const std::string joined = strings[random() % strings.size()] + kLetters[random() % kLetters.size()];
        if (known.insert(joined).second) strings.push_back(joined);
    }
    for (const std::string& string : strings) tokens.add(as_bytes(string), rank++);
    return vocabulary_from_ranks(tokens, {}, "pairs");
}

std::vector<TokenId> one_by_one(DropoutLaw law, const MergeRelation& merges, std::vector<TokenId> ids, Draws& draws) {
    std::vector<bool> is_out(ids.size(), false);  // of the candidate that begins here
    for (;;) {
        std::vector<std::pair<std::uint32_t, std::size_t>> candidates;
        for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
            const std::uint32_t rank = merges.find(ids[i], ids[i + 1]);
            if (rank != kNoRank && !is_out[i]) candidates.emplace_back(rank, i);
        }
        std::sort(candidates.begin(), candidates.end());
        const auto kept = std::find_if(candidates.begin(), candidates.end(), [&](const auto& candidate) {
            const bool dropped = draws.dropped();
            if (law == DropoutLaw::kSentencePiece) is_out[candidate.second] = dropped;
            return !dropped;
        });
        if (kept == candidates.end()) return ids;
        const std::size_t i = kept->second;
        ids[i] = merges.result(kept->first);
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        is_out.erase(is_out.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        is_out[i] = false;
        if (i > 0) is_out[i - 1] = false;
    }
}

}  // namespace

int main() {
    std::mt19937 random(11);
    const auto v = vocabulary(random);
    const SplitModel model(v);
    const auto merges = model.merges(true);
    for (const DropoutLaw law : {DropoutLaw::kPaper, DropoutLaw::kSentencePiece}) {
        std::uint64_t index = 0;
        for (const double p : {0.02, 0.1, 0.5, 0.9, 0.995}) {
            for (const std::size_t n : {2, 63, 64, 65, 128, 200, 700, 3000}) {
                for (const std::size_t n_letters : {std::size_t{1}, std::size_t{3}, kLetters.size()}) {
                    if (n == 3000 && (p == 0.02 || p == 0.5 || n_letters == 3)) continue;
                    DropoutWord word;
                    for (std::size_t i = 0; i < n; ++i) {
                        const char letter = kLetters[random() % 8 == 0 ? random() % n_letters : i / 40 % n_letters];
                        const char any = kLetters[random() % n_letters];
                        word.symbols.push_back(v->byte_symbol(static_cast<std::uint8_t>(i % 3 == 0 ? any : letter)));
                    }
                    for (std::size_t i = 0; i + 1 < n; ++i) {
                        word.ranks.push_back(merges->find(word.symbols[i], word.symbols[i + 1]));
                    }
                    const Gaps gaps(p);
                    const DocumentKey key{3, 0, index++};
                    GapStream same(gaps, key, RandomUse::kLaterDrops), again(gaps, key, RandomUse::kLaterDrops);
                    Draws wanted_draws(nullptr, 0, same), draws(nullptr, 0, again);
                    const std::vector<TokenId> wanted = one_by_one(law, *merges, word.symbols, wanted_draws);
                    merge_with_dropout(law, *merges, word, draws);
                    CHECK(word.symbols == wanted);
                    CHECK_EQUAL(draws.left(), wanted_draws.left());
                }
            }
        }
    }
    return check::result();
}
