// The kernels of superwords do the same on every ISA as one id at a time, for every length and place in a word of bits.
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "check.hpp"
#include "merge/join_kernels.hpp"

using namespace fissile;

namespace {

constexpr TokenId kVocab = 50;
using Bits = std::vector<std::uint64_t>;

bool is_set(const Bits& bits, std::size_t i) { return (bits[i / 64] >> (i % 64) & 1) != 0; }

struct Pairs {
    std::set<std::pair<TokenId, TokenId>> known;
    PairFilter filter{100};
    PairRanks ranks{kVocab, 200};

    explicit Pairs(std::mt19937& random) {
        for (std::uint32_t rank = 0; known.size() < 200; ++rank) {
            const TokenId left = random() % kVocab, right = random() % kVocab;
            if (!known.emplace(left, right).second) {
                --rank;
                continue;
            }
            filter.insert(left, right);
            ranks.insert(left, right, rank);
        }
    }
};

void test_find_joins(const JoinKernels& kernels, const Pairs& pairs, const std::vector<TokenId>& ids) {
    const std::size_t n = ids.size();
    for (const std::size_t first : {std::size_t{0}, n / 2, n == 0 ? 0 : n - 1}) {
        Bits joins(n / 64 + 2, 0xaaaaaaaaaaaaaaaau);
        // As many ids as memory holds: what is read beyond them shows under a sanitizer.
        kernels.find_joins(pairs.filter, ids.data(), first, n, joins.data());
        for (std::size_t i = 0; i < n; ++i) {
            if (i < first / 64 * 64) {
                CHECK(is_set(joins, i) == (i % 2 == 1));
            } else {
                CHECK(is_set(joins, i) == (i + 1 < n && pairs.filter.may_hold(ids[i], ids[i + 1])));
                if (i + 1 < n && pairs.known.count({ids[i], ids[i + 1]}) != 0) CHECK(is_set(joins, i));
            }
        }
        for (std::size_t i = n; n > first / 64 * 64 && i % 64 != 0; ++i) CHECK(!is_set(joins, i));
    }
}

void test_find_ranks(const JoinKernels& kernels, const Pairs& pairs, const std::vector<TokenId>& ids,
                     std::mt19937& random) {
    const std::size_t n_words = (ids.size() + 63) / 64;
    Bits wanted(n_words), ranked(n_words);
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) wanted[i / 64] |= std::uint64_t{random() % 3 == 0} << (i % 64);
    std::vector<std::uint32_t> ranks(n_words * 64, 12345);
    kernels.find_ranks(pairs.ranks, ids.data(), n_words, wanted.data(), ranks.data(), ranked.data());
    for (std::size_t i = 0; i < n_words * 64; ++i) {
        const std::uint32_t rank = is_set(wanted, i) ? pairs.ranks.find(ids[i], ids[i + 1]) : 12345;
        CHECK(ranks[i] == rank);
        CHECK(is_set(ranked, i) == (is_set(wanted, i) && rank != kNoRank));
    }
}

void test_take_out(const JoinKernels& kernels, const std::vector<TokenId>& ids, std::mt19937& random) {
    for (const unsigned one_in : {1u, 2u, 5u, 1000u}) {
        Bits gone(ids.size() / 64 + 1);
        std::vector<TokenId> wanted;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const bool goes = random() % one_in == 0;
            gone[i / 64] |= std::uint64_t{goes} << (i % 64);
            if (!goes) wanted.push_back(ids[i]);
        }
        std::vector<TokenId> left = ids;
        left.resize(kernels.take_out(left.data(), ids.size(), gone.data()));
        CHECK(left == wanted);
    }
}

}  // namespace

int main() {
    std::mt19937 random(3);
    const Pairs pairs(random);
    for (const Isa isa : available_isas()) {
        const JoinKernels& kernels = join_kernels_for(isa);
        for (std::size_t n = 0; n < 300; ++n) {
            std::vector<TokenId> ids(n);
            for (TokenId& id : ids) id = random() % kVocab;
            test_find_joins(kernels, pairs, ids);
            test_find_ranks(kernels, pairs, ids, random);
            test_take_out(kernels, ids, random);
        }
    }
    return check::result();
}
