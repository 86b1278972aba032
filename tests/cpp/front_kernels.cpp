// Looking spans up in a front table, and the ids of what was found: the kernels of every ISA give what the table's own
// definitions give, at a text's ends too.
#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "check.hpp"
#include "merge/front_kernels.hpp"

using namespace fissile;

namespace {

FoundPiece random_piece(PieceKey key, std::mt19937& random) {
    TokenId four[kMaxInlineIds];
    for (TokenId& id : four) id = static_cast<TokenId>(random()) & kMaxTokenId;
    std::uint64_t words[2];
    std::memcpy(words, four, sizeof words);
    return FoundPiece::of_words(key, words, random() % 4 + 1);
}

// Spans of a text on the heap of just its size, so that a sanitizer sees what is read beside it.
void test_look_up(const FrontKernels& kernels, std::mt19937& random, std::size_t n_spans, std::uint32_t max_bytes) {
    std::vector<std::uint32_t> ends;
    const auto begin = static_cast<std::uint32_t>(random() % 3);
    std::uint32_t end = begin;
    for (std::size_t i = 0; i < n_spans; ++i)
        ends.push_back(end += static_cast<std::uint32_t>(random() % max_bytes) + 1);
    const auto text = std::make_unique<std::uint8_t[]>(end);
    for (std::size_t i = 0; i < end; ++i) text[i] = static_cast<std::uint8_t>(random() % 3);
    const Bytes bytes(text.get(), end);

    FrontTable table;
    std::vector<PieceKey> keys;
    for (std::size_t i = 0, start = begin; i < n_spans; start = ends[i++]) {
        keys.push_back(piece_key(text.get() + start, ends[i] - start));
        if (ends[i] - start <= kMaxInlinePiece && random() % 2 == 0) table.put(random_piece(keys[i], random));
    }
    std::vector<const FoundPiece*> pieces(n_spans);
    std::vector<std::uint32_t> index(n_spans + FrontKernels::kSpare);
    std::vector<std::uint64_t> low(index.size()), high(index.size());
    const std::size_t n_missed = kernels.look_up(table, {bytes, begin, ends.data(), n_spans}, pieces.data(),
                                                 {index.data(), low.data(), high.data()});
    std::size_t n = 0;
    for (std::size_t i = 0; i < n_spans; ++i) {
        CHECK(pieces[i] == &table.at(keys[i]));
        if (FrontTable::holds(*pieces[i], keys[i])) continue;
        CHECK(n < n_missed);
        CHECK_EQUAL(index[n], i);
        CHECK(low[n] == keys[i].low && high[n] == keys[i].high);
        ++n;
    }
    CHECK_EQUAL(n, n_missed);

    for (std::size_t first = 0, start = begin; first < n_spans; start = ends[first + 63], first += 64) {
        const std::size_t some = std::min<std::size_t>(n_spans - first, 64);
        const std::uint64_t bits = kernels.too_long(start, ends.data() + first, some);
        for (std::size_t i = 0; i < 64; ++i) {
            CHECK_EQUAL(bits >> i & 1, i < some && keys[first + i].high == kTooLong.high);
        }
        if (some < 64) break;
    }
}

void test_append(const FrontKernels& kernels, std::mt19937& random, std::size_t n_pieces,
                 std::size_t one_elsewhere_in) {
    std::vector<FoundPiece> found;
    std::vector<const FoundPiece*> pieces;
    std::vector<TokenId> expected;
    std::size_t n_expected = 0;
    for (std::size_t i = 0; i < n_pieces; ++i) {
        found.push_back(random() % one_elsewhere_in == 0 ? FoundPiece::elsewhere(random()) : random_piece({}, random));
    }
    for (const FoundPiece& piece : found) pieces.push_back(&piece);
    for (; n_expected < n_pieces && found[n_expected].count() != 0; ++n_expected) {
        TokenId four[kMaxInlineIds];
        found[n_expected].copy_ids(four);
        expected.insert(expected.end(), four, four + found[n_expected].count());
    }
    const std::size_t room = kMaxInlineIds * n_pieces + FrontKernels::kSpareIds;
    const auto ids = std::make_unique<TokenId[]>(room);
    TokenId* out = ids.get();
    CHECK_EQUAL(kernels.append(pieces.data(), n_pieces, out), n_expected);
    CHECK(std::vector<TokenId>(ids.get(), out) == expected);
}

}  // namespace

int main() {
    for (const Isa isa : available_isas()) {
        const FrontKernels& kernels = front_kernels_for(isa);
        std::mt19937 random(1);
        for (std::size_t n_spans = 1; n_spans < 200; ++n_spans) {
            for (const std::uint32_t max_bytes : {1u, 4u, 20u, 600u}) test_look_up(kernels, random, n_spans, max_bytes);
            for (const std::size_t one_in : {1000u, 20u, 2u}) test_append(kernels, random, n_spans, one_in);
        }
        test_look_up(kernels, random, 1000, 5);
        test_look_up(kernels, random, 20, 1 << 20);
    }
    return check::result();
}
