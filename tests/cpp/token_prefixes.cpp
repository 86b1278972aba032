// Prefixes of texts found in order of their bytes are those found by looking at every token: on tokens that overlap,
// are nested, hold zeros, and are alike in more bytes than a key tells.
#include "vocab/token_prefixes.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "check.hpp"
#include "vocab/rank_file.hpp"

using namespace fissile;

namespace {

std::string random_text(std::mt19937& random, std::size_t max_size, const std::string& letters) {
    std::string text;
    for (std::size_t n = 1 + random() % max_size; text.size() < n;) {
        // Runs, so that many are alike for long.
        text.append(1 + random() % 4 * (random() % 6), letters[random() % letters.size()]);
    }
    return text;
}

std::shared_ptr<const Vocabulary> vocabulary_of(const std::set<std::string>& strings) {
    RankTokens tokens;
    TokenId rank = 0;
    for (const std::string& string : strings) tokens.add(as_bytes(string), rank++);
    return vocabulary_from_ranks(tokens, {}, "random");
}

void check_text(const Vocabulary& v, const TokenPrefixes& prefixes, TokenPrefixes::Tokens tokens, Bytes text) {
    std::vector<TokenId> expected;  // shortest first
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const Bytes token = v.token_bytes(id);
        if (tokens == TokenPrefixes::Tokens::kReachable && !v.is_reachable(id)) continue;
        if (token.size() <= text.size() && std::ranges::equal(token, text.first(token.size()))) expected.push_back(id);
    }
    std::ranges::sort(expected, {}, [&](TokenId id) { return v.token_bytes(id).size(); });
    std::vector<TokenId> found;
    prefixes.each(text, [&](TokenId id, std::size_t length) {
        CHECK_EQUAL(length, v.token_bytes(id).size());
        found.push_back(id);
    });
    CHECK(found == expected);
    CHECK_EQUAL(prefixes.longest(text), expected.empty() ? kNoToken : expected.back());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK_EQUAL(prefixes.next_shorter(expected[i]), i == 0 ? kNoToken : expected[i - 1]);
    }
}

}  // namespace

int main() {
    std::mt19937 random(7);
    const std::string letters("ab\0\xff", 4);
    for (int round = 0; round < 60; ++round) {
        std::set<std::string> strings;
        if (round % 2 == 0) {
            for (int byte = 0; byte < 256; ++byte) strings.insert(std::string(1, static_cast<char>(byte)));
        }
        for (int i = 0; i < 10 + round * 6; ++i) {
            strings.insert(random_text(random, round % 3 == 0 ? 3 : 30, letters.substr(0, 1 + random() % 4)));
        }
        // Nested beyond what is kept without asking for memory.
        for (std::size_t n = 1; round % 5 == 0 && n < 150; ++n) strings.insert(std::string(n, 'a'));
        const auto v = vocabulary_of(strings);
        for (const auto tokens : {TokenPrefixes::Tokens::kReachable, TokenPrefixes::Tokens::kModel}) {
            const TokenPrefixes prefixes(*v, tokens);
            for (int i = 0; i < 100; ++i) check_text(*v, prefixes, tokens, as_bytes(random_text(random, 40, letters)));
            for (const std::string& string : strings) {
                check_text(*v, prefixes, tokens, as_bytes(string));
                check_text(*v, prefixes, tokens, as_bytes(string + "a"));
                check_text(*v, prefixes, tokens, as_bytes(string.substr(0, 1 + random() % string.size())));
            }
        }
    }
    return check::result();
}
