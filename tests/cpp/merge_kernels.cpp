// The merge kernels give the ids of the definition, on vocabularies of random strings over few letters, where
// everything overlaps.
#include <random>
#include <set>
#include <string>

#include "check.hpp"
#include "merge/merge_backtrack.hpp"
#include "merge/merge_keys.hpp"
#include "merge/merge_short.hpp"
#include "merge/merge_tree.hpp"
#include "merge/merge_windows.hpp"
#include "vocab/rank_file.hpp"

using namespace fissile;

namespace {

std::shared_ptr<const Vocabulary> random_vocabulary(std::mt19937& random, int n_tokens) {
    RankTokens tokens;
    TokenId rank = 0;
    for (int byte = 0; byte < 256; ++byte) {
        const auto b = static_cast<std::uint8_t>(byte);
        tokens.add({&b, 1}, rank++);
    }
    // Each token joins two that are there, so that ranks are in order and most tokens are reachable.
    std::vector<std::string> strings{"a", "b", "c", "d"};
    std::set<std::string> known(strings.begin(), strings.end());
    for (int i = 0; i < n_tokens * 4 && static_cast<int>(strings.size()) < n_tokens; ++i) {
        const std::string joined = strings[random() % strings.size()] + strings[random() % strings.size()];
        if (joined.size() > 24 || !known.insert(joined).second) continue;
        strings.push_back(joined);
        tokens.add(as_bytes(joined), rank++);
    }
    return vocabulary_from_ranks(tokens, {}, "random");
}

// The definition, in so many words.
std::vector<TokenId> by_definition(const Vocabulary& v, Bytes piece) {
    std::vector<TokenId> ids;
    for (const std::uint8_t byte : piece) ids.push_back(v.byte_symbol(byte));
    for (;;) {
        std::uint32_t best = kNoRank;
        std::size_t at = 0;
        for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
            const std::uint32_t rank = v.pairs().find(ids[i], ids[i + 1]);
            if (rank < best) {
                best = rank;
                at = i;
            }
        }
        if (best == kNoRank) return ids;
        ids[at] = v.results()[best];
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
}

// All pieces together.
template <unsigned kWidth>
std::vector<std::vector<TokenId>> by_lanes(const MergeKernels& kernels, const Vocabulary& v,
                                           const std::vector<std::string>& pieces) {
    std::vector<MergeLane<kWidth>> lanes(pieces.size());
    for (std::size_t k = 0; k < pieces.size(); ++k) {
        const Bytes piece = as_bytes(pieces[k]);
        lanes[k].begin(piece.size());
        for (std::size_t i = 0; i < piece.size(); ++i) lanes[k].set_symbol(i, v.byte_symbol(piece[i]));
        for (std::size_t i = 0; i + 1 < piece.size(); ++i) {
            lanes[k].set_rank(i, v.byte_pair_rank(piece[i], piece[i + 1]));
        }
    }
    kernels.many(v.pairs(), v.results(), lanes.data(), lanes.size());
    std::vector<std::vector<TokenId>> ids(pieces.size());
    for (std::size_t k = 0; k < pieces.size(); ++k) {
        ids[k].resize(pieces[k].size());
        ids[k].resize(lanes[k].copy_ids(ids[k].data()));
        CHECK_EQUAL(ids[k].size(), lanes[k].n_symbols());
    }
    return ids;
}

// The same by keys, of pieces of any bytes.
void check_keys(const Vocabulary& v, std::mt19937& random) {
    std::vector<std::string> pieces;
    std::vector<PieceKey> keys;
    for (int i = 0; i < 70; ++i) {
        std::string piece;
        const std::size_t size = 1 + random() % kMaxInlinePiece;
        for (std::size_t k = 0; k < size; ++k) {
            piece += static_cast<char>(i % 5 == 0 ? random() % 256 : 'a' + random() % (1 + random() % 4));
        }
        keys.push_back(piece_key(as_bytes(piece).data(), size));
        pieces.push_back(piece);
    }
    for (const Isa isa : available_isas()) {
        std::vector<MergedKey> merged(pieces.size());
        std::vector<std::uint8_t> n_ids(pieces.size());
        for (MergedKey& ids : merged) std::fill_n(ids.ids, 16, kNoToken);
        merge_kernels_for(isa).keys(v.pairs(), v.results(), v.byte_symbols(), keys.data(), keys.size(), merged.data(),
                                    n_ids.data());
        for (std::size_t k = 0; k < pieces.size(); ++k) {
            const TokenId* const ids = merged[k].ids;
            const std::vector<TokenId> expected = by_definition(v, as_bytes(pieces[k]));
            CHECK(std::vector<TokenId>(ids, ids + n_ids[k]) == expected);
            for (std::size_t i = n_ids[k]; i < MergedKey::kZeros; ++i) CHECK_EQUAL(ids[i], TokenId{0});
        }
    }
}

// By symbols of ASCII characters, of which some are none: pieces with one of those have no ids.
void check_ascii_keys(const Vocabulary& v, std::mt19937& random) {
    std::vector<TokenId> symbols(128, kNoToken);
    std::vector<std::uint32_t> ranks(std::size_t{128} * 128, kNoRank);
    for (std::uint8_t left = 'a'; left <= 'd'; ++left) {
        symbols[left] = v.byte_symbol(left);
        for (std::uint8_t right = 'a'; right <= 'd'; ++right)
            ranks[left * 128u + right] = v.byte_pair_rank(left, right);
    }
    std::vector<std::string> pieces;
    std::vector<PieceKey> keys;
    for (int i = 0; i < 70; ++i) {
        std::string piece;
        const std::size_t size = 1 + random() % kMaxInlinePiece;
        for (std::size_t k = 0; k < size; ++k) piece += static_cast<char>('a' + random() % 4);
        if (i % 3 == 0) piece[random() % size] = static_cast<char>(random() % 'a');
        keys.push_back(piece_key(as_bytes(piece).data(), size));
        pieces.push_back(piece);
    }
    for (const Isa isa : available_isas()) {
        std::vector<MergedKey> merged(pieces.size());
        std::vector<std::uint8_t> n_ids(pieces.size());
        merge_kernels_for(isa).keys(v.pairs(), v.results(), {symbols.data(), ranks.data(), 7}, keys.data(), keys.size(),
                                    merged.data(), n_ids.data());
        for (std::size_t k = 0; k < pieces.size(); ++k) {
            const TokenId* const ids = merged[k].ids;
            const std::vector<TokenId> expected =
                k % 3 == 0 ? std::vector<TokenId>() : by_definition(v, as_bytes(pieces[k]));
            CHECK(std::vector<TokenId>(ids, ids + n_ids[k]) == expected);
        }
    }
}

template <unsigned kWidth>
void check_lanes(const Vocabulary& v, std::mt19937& random) {
    std::vector<std::string> pieces;
    for (int i = 0; i < 70; ++i) {
        std::string piece;
        const std::size_t size = random() % (MergeLane<kWidth>::kMaxSymbols + 1);
        for (std::size_t k = 0; k < size; ++k) piece += static_cast<char>('a' + random() % (1 + random() % 4));
        pieces.push_back(piece);
    }
    for (const Isa isa : available_isas()) {
        const auto ids = by_lanes<kWidth>(merge_kernels_for(isa), v, pieces);
        for (std::size_t k = 0; k < pieces.size(); ++k) CHECK(ids[k] == by_definition(v, as_bytes(pieces[k])));
    }
}

std::vector<TokenId> by_tree(const Vocabulary& v, Bytes piece) {
    std::vector<TokenId> ids;
    for (const std::uint8_t byte : piece) ids.push_back(v.byte_symbol(byte));
    MergeTreeScratch scratch;
    merge_tree(v.pairs(), v.results(), ids, scratch);
    return ids;
}

std::vector<TokenId> by_backtracking(const Vocabulary& v, const TokenPrefixes& prefixes, Bytes piece) {
    std::vector<TokenId> ids;
    BacktrackScratch scratch;
    CanonicalPairs pairs(v);
    merge_backtrack(v, prefixes, pairs, piece, ids, scratch);
    return ids;
}

void check_by_rank(const Vocabulary& v, Bytes piece, const std::vector<TokenId>& expected) {
    if (piece.size() > MergeKernels::kMaxByRank) return;
    for (const Isa isa : available_isas()) {
        std::vector<TokenId> ids;
        for (const std::uint8_t byte : piece) ids.push_back(v.byte_symbol(byte));
        ids.resize(merge_kernels_for(isa).by_rank(v.pairs(), v.results(), ids.data(), ids.size()));
        CHECK(ids == expected);
    }
}

// Whether windows are of use for the piece; if they are, their ids are right.
bool by_windows(const Vocabulary& v, Bytes piece, const std::vector<TokenId>& expected) {
    bool any = false;
    for (const Isa isa : available_isas()) {
        std::vector<MergeLane<64>> lanes(kWindowLanes);
        std::vector<TokenId> ids{7};
        any = merge_windows(v, merge_kernels_for(isa), piece, lanes.data(), ids);
        CHECK_EQUAL(ids.front(), TokenId{7});
        ids.erase(ids.begin());
        CHECK(ids == (any ? expected : std::vector<TokenId>()));
    }
    return any;
}

}  // namespace

int main() {
    std::mt19937 random(4);
    int n_by_windows = 0, n_not = 0;
    for (int round = 0; round < 40; ++round) {
        const auto v = random_vocabulary(random, 20 + round * 5);
        const TokenPrefixes prefixes(*v);
        check_lanes<16>(*v, random);
        check_lanes<64>(*v, random);
        check_keys(*v, random);
        check_ascii_keys(*v, random);
        for (int i = 0; i < 100; ++i) {
            std::string piece;
            const std::size_t size = 1 + random() % (i % 10 == 0 ? 600 : 40);
            for (std::size_t k = 0; k < size; ++k) piece += static_cast<char>('a' + random() % (1 + random() % 4));
            const std::vector<TokenId> expected = by_definition(*v, as_bytes(piece));
            CHECK(by_tree(*v, as_bytes(piece)) == expected);
            if (!v->merges_are_ordered()) continue;
            CHECK(by_backtracking(*v, prefixes, as_bytes(piece)) == expected);
            check_by_rank(*v, as_bytes(piece), expected);
            ++(by_windows(*v, as_bytes(piece), expected) ? n_by_windows : n_not);
        }
        // Runs of one thing, of all lengths, with others around them.
        for (int i = 0; i < 20 && v->merges_are_ordered(); ++i) {
            std::string piece;
            for (int part = 0; part < 3; ++part) {
                std::string repeated;
                for (std::size_t n = 1 + random() % 12; repeated.size() < n;)
                    repeated += static_cast<char>('a' + random() % 3);
                for (std::size_t n = random() % 200; n != 0; --n) piece += repeated;
            }
            if (piece.empty()) continue;
            const std::vector<TokenId> expected = by_tree(*v, as_bytes(piece));
            CHECK(by_backtracking(*v, prefixes, as_bytes(piece)) == expected);
            check_by_rank(*v, as_bytes(piece), expected);
            ++(by_windows(*v, as_bytes(piece), expected) ? n_by_windows : n_not);
        }
        for (TokenId id = 0; id < v->n_vocab(); ++id) {
            CHECK_EQUAL(v->is_reachable(id), (by_definition(*v, v->token_bytes(id)) == std::vector<TokenId>{id}));
        }
    }
    CHECK(n_by_windows > 1000);
    CHECK(n_not > 10);
    return check::result();
}
