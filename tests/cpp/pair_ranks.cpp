// The table of pairs against std::map: pairs that are there, that are not, and that are given twice.
#include "vocab/pair_ranks.hpp"

#include <map>
#include <random>

#include "check.hpp"

using namespace fissile;

int main() {
    std::mt19937 random(1);
    for (const std::size_t n_merges : {0u, 1u, 7u, 100u, 5000u, 60000u}) {
        const TokenId n_vocab = static_cast<TokenId>(n_merges + 300);
        PairRanks ranks(n_vocab, n_merges);
        std::map<std::pair<TokenId, TokenId>, std::uint32_t> expected;
        for (std::uint32_t rank = 0; rank < n_merges; ++rank) {
            // Few left ids, as in a real vocabulary; some pairs come again.
            const TokenId left = random() % (1 + random() % n_vocab), right = random() % n_vocab;
            ranks.insert(left, right, rank);
            expected[{left, right}] = rank;
        }
        for (const auto& [pair, rank] : expected) CHECK_EQUAL(ranks.find(pair.first, pair.second), rank);
        for (int i = 0; i < 100000; ++i) {
            const TokenId left = random() % n_vocab, right = random() % n_vocab;
            const auto found = expected.find({left, right});
            CHECK_EQUAL(ranks.find(left, right), found == expected.end() ? kNoRank : found->second);
            CHECK_EQUAL(ranks.find(left, kNoToken), kNoRank);
            CHECK_EQUAL(ranks.find(kNoToken, right), kNoRank);
        }
    }
    // Pairs known to be new, up to what the table was made for: entries move on.
    for (const std::uint32_t n : {100u, 26214u, 60000u}) {
        PairRanks few(n + 300, n);
        for (std::uint32_t i = 0; i < n; ++i) few.insert_new(i % 97, i, i);
        for (std::uint32_t i = 0; i < n; ++i) {
            CHECK_EQUAL(few.find(i % 97, i), i);
            CHECK_EQUAL(few.find(i % 97 + 1, i), kNoRank);
        }
    }
    // More merges than announced: the table grows.
    PairRanks ranks(20000, 10);
    for (std::uint32_t i = 0; i < 10000; ++i) ranks.insert(i, i + 1, i % 1000);
    for (std::uint32_t i = 0; i < 10000; ++i) CHECK_EQUAL(ranks.find(i, i + 1), i % 1000);
    return check::result();
}
