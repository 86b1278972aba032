// The pair that each token merges from, against merging its own symbols by the definition: ranks and lists of merges,
// in order and not, with tokens that nothing merges to, pairs given twice, several pairs a token, and long tokens.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "vocab/exact_cuts.hpp"
#include "vocab/rank_file.hpp"
#include "vocab/vocabulary.hpp"

using namespace fissile;

namespace {

struct Found {
    bool reachable = false;
    std::pair<TokenId, TokenId> split{kNoToken, kNoToken};
    std::uint32_t order = 0;
};

struct Step {
    std::uint32_t rank;
    TokenId result;
};

// Merges symbols, smallest rank first and leftmost among equals; what the last merge was, if one token is left of it.
template <class FindStep>
std::optional<Found> merged(std::vector<TokenId> symbols, TokenId id, const FindStep& find_step) {
    Found found;
    for (;;) {
        std::optional<Step> best;
        std::size_t at = 0;
        for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
            const std::optional<Step> step = find_step(symbols[i], symbols[i + 1]);
            if (step && (!best || step->rank < best->rank)) {
                best = step;
                at = i;
            }
        }
        if (!best) break;
        found = {true, {symbols[at], symbols[at + 1]}, best->rank + 1};
        symbols[at] = best->result;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    if (symbols.size() != 1 || symbols[0] != id || !found.reachable) return std::nullopt;
    return found;
}

// No cut inside a token that text becomes, and between two ASCII letters one wherever no such token has them.
void check_cuts(const Vocabulary& v) {
    const ExactCuts cuts(v);
    std::uint32_t ends[512];
    std::string all;  // tokens, apart
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        if (!v.is_reachable(id) || v.split_of(id).first == kNoToken) continue;
        const Bytes token = v.token_bytes(id);
        CHECK_EQUAL(cuts.cut(token, 0, ends, 512).n_spans, std::size_t{1});
        all.append(as_chars(token)) += '|';
    }
    for (const std::string pair : {"aa", "ab", "ac", "ba", "bb", "bc", "ca", "cb", "cc"}) {
        const bool joined = all.find(pair) != std::string::npos || cuts.cuts_nowhere();
        CHECK_EQUAL(cuts.cut(as_bytes(pair), 0, ends, 512).n_spans, std::size_t{joined ? 1u : 2u});
    }
}

// `expected` of all tokens but symbols.
void check_splits(const Vocabulary& v, const std::map<TokenId, Found>& expected) {
    bool ordered = true;
    const auto order_of = [&](TokenId id) { return expected.contains(id) ? expected.at(id).order : 0; };
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const auto at = expected.find(id);
        if (at == expected.end()) continue;
        CHECK_EQUAL(v.is_reachable(id), at->second.reachable);
        CHECK(v.split_of(id) == at->second.split);
        CHECK_EQUAL(v.merge_order(id), at->second.order);
        if (!at->second.reachable) continue;
        ordered &= order_of(at->second.split.first) < at->second.order;
        ordered &= order_of(at->second.split.second) < at->second.order;
    }
    CHECK_EQUAL(v.merges_are_ordered(), ordered);
    const std::vector<Merge> merges = v.merges();
    CHECK_EQUAL(merges.size(), v.n_merges());
    std::map<TokenId, bool> makes;
    for (const Merge& merge : merges) {
        const std::uint32_t rank = v.pairs().find(merge.left, merge.right);
        CHECK(rank < v.n_results());
        makes[merge.result] |= v.split_of(merge.result) == std::pair(merge.left, merge.right);
    }
    for (const auto& [id, found] : expected) CHECK(!found.reachable || makes[id]);
    check_cuts(v);
}

// Strings joined of earlier ones, mostly, in the order in which they came about but for some.
std::vector<std::string> random_strings(std::mt19937& random, const std::vector<std::string>& letters, std::size_t n,
                                        unsigned disorder) {
    std::vector<std::string> strings = letters;
    std::map<std::string, bool> known;
    for (const std::string& letter : letters) known[letter] = true;
    for (std::size_t i = 0; i < n * 4 && strings.size() < n; ++i) {
        // The last ones are long.
        const auto any = [&] { return strings[strings.size() - 1 - random() % (1 + random() % strings.size())]; };
        std::string joined = any() + any();
        if (random() % 16 == 0) joined += letters[random() % letters.size()];  // mostly of no pair
        if (joined.size() > 160 || known[joined]) continue;
        known[joined] = true;
        strings.push_back(joined);
    }
    for (std::size_t i = letters.size(); disorder != 0 && i + 1 < strings.size(); ++i) {
        if (random() % 1000 < disorder) {
            std::swap(strings[i], strings[letters.size() + random() % (strings.size() - letters.size())]);
        }
    }
    return strings;
}

void check_ranks(std::mt19937& random, std::size_t n, unsigned disorder) {
    std::vector<std::string> strings = random_strings(random, {"a", "b", "c"}, n, disorder);
    if (disorder != 0) std::swap(strings[0], strings[random() % strings.size()]);  // symbols need no small rank
    RankTokens tokens;
    std::map<std::string, TokenId> id_of;
    std::string file;
    for (TokenId id = 0; id < strings.size(); ++id) {
        tokens.add(as_bytes(strings[id]), id);
        id_of[strings[id]] = id;
    }
    const auto v = vocabulary_from_ranks(tokens, {}, "ranks");
    const auto find_step = [&](TokenId left, TokenId right) -> std::optional<Step> {
        const auto at = id_of.find(strings[left] + strings[right]);
        if (at == id_of.end()) return std::nullopt;
        return Step{at->second, at->second};
    };
    std::map<TokenId, Found> expected;
    for (TokenId id = 0; id < strings.size(); ++id) {
        std::vector<TokenId> symbols;
        for (const char letter : strings[id]) symbols.push_back(id_of.at(std::string(1, letter)));
        if (symbols.size() > 1) expected[id] = merged(symbols, id, find_step).value_or(Found{});
    }
    check_splits(*v, expected);
    for (const Merge& merge : v->merges()) {
        CHECK_EQUAL(v->pairs().find(merge.left, merge.right), merge.result);
        CHECK_EQUAL(v->results()[merge.result], merge.result);
    }
}

// Each token from the one before it: pairs that are needed as soon as they are known.
void check_chain() {
    RankTokens tokens;
    const std::string text(20, 'a');
    for (TokenId id = 0; id < text.size(); ++id) tokens.add(as_bytes(text).first(id + 1), id);
    const auto v = vocabulary_from_ranks(tokens, {}, "chain");
    CHECK_EQUAL(v->merges().size(), text.size() - 1);  // one pair a token, and not all that spell it
    for (TokenId id = 0; id < v->n_vocab(); ++id) CHECK(v->is_reachable(id));
}

void check_merges(std::mt19937& random, std::size_t n, unsigned disorder, Alphabet alphabet) {
    const std::vector<std::string> letters = alphabet == Alphabet::kBytes
                                                 ? std::vector<std::string>{"a", "b", "c"}
                                                 : std::vector<std::string>{"a", "\xc3\xa9", "\xe6\x97\xa5"};
    std::vector<std::string> strings = random_strings(random, letters, n, disorder);
    // Characters may spell two tokens alike; the first is the one that text becomes.
    for (int i = 0; alphabet == Alphabet::kChars && strings.size() > letters.size() && i < 5; ++i) {
        strings.push_back(strings[letters.size() + random() % (strings.size() - letters.size())]);
    }
    std::map<std::string, TokenId> id_of;
    for (TokenId id = 0; id < strings.size(); ++id) id_of.emplace(strings[id], id);
    std::vector<Merge> merges;
    for (TokenId id = static_cast<TokenId>(letters.size()); id < strings.size(); ++id) {
        // Some pairs that spell the token, of any.
        for (std::size_t cut = 1; cut < strings[id].size(); ++cut) {
            const auto left = id_of.find(strings[id].substr(0, cut)), right = id_of.find(strings[id].substr(cut));
            if (left == id_of.end() || right == id_of.end() || random() % 4 == 0) continue;
            merges.push_back({left->second, right->second, id});
        }
    }
    for (std::size_t i = 0; disorder != 0 && i < merges.size(); ++i) {
        if (random() % 1000 >= disorder) continue;
        if (random() % 2 == 0) {
            std::swap(merges[i], merges[random() % merges.size()]);
        } else {
            merges.push_back(merges[random() % merges.size()]);
        }
    }
    ModelOptions options;
    options.alphabet = alphabet;
    VocabularyBuilder builder("merges", options);
    std::vector<TokenId> order(strings.size());
    for (TokenId id = 0; id < strings.size(); ++id) order[id] = id;
    if (random() % 2 == 0) std::shuffle(order.begin(), order.end(), random);
    // A token that is found in text beside the model, too, and one that takes the id of another.
    const TokenId again = random() % strings.size(), other = static_cast<TokenId>(letters.size()) + random() % 5;
    const bool renamed = disorder != 0 && other != again;
    std::map<std::string, TokenId> first_of;
    for (const TokenId id : order) {
        builder.add_model_token(id, as_bytes(strings[id]));
        if (!renamed || id != other) first_of.emplace(strings[id], id);
    }
    builder.add_added_token(again, as_bytes(strings[again]), true);
    if (renamed) builder.add_added_token(other, as_bytes("<other>"), true);
    const auto v = builder.finish_merges(merges);

    std::map<std::pair<TokenId, TokenId>, Step> steps;
    for (std::uint32_t rank = 0; rank < merges.size(); ++rank) {
        steps[{merges[rank].left, merges[rank].right}] = {rank, merges[rank].result};
    }
    const auto find_step = [&](TokenId left, TokenId right) -> std::optional<Step> {
        const auto at = steps.find({left, right});
        return at == steps.end() ? std::nullopt : std::optional(at->second);
    };
    std::map<TokenId, Found> expected;
    for (TokenId id = static_cast<TokenId>(letters.size()); id < strings.size(); ++id) {
        if ((renamed && id == other) || first_of.at(strings[id]) != id) {
            expected[id] = Found{};
            continue;
        }
        std::vector<TokenId> symbols;
        for (std::size_t at = 0; at < strings[id].size(); at += strings[symbols.back()].size()) {
            for (TokenId letter = 0; letter < letters.size(); ++letter) {
                if (strings[id].compare(at, letters[letter].size(), letters[letter]) == 0) symbols.push_back(letter);
            }
        }
        expected[id] = merged(symbols, id, find_step).value_or(Found{});
    }
    check_splits(*v, expected);
}

}  // namespace

int main() {
    check_chain();
    std::mt19937 random(1);
    for (int turn = 0; turn < 60; ++turn) {
        const std::size_t n = 4 + random() % 400;
        for (const unsigned disorder : {0u, 3u, 300u}) {
            check_ranks(random, n, disorder);
            check_merges(random, n, disorder, Alphabet::kBytes);
            check_merges(random, n, disorder, Alphabet::kChars);
        }
    }
    return check::result();
}
