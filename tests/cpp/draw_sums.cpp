// The word that holds a draw is the one that counting word by word finds, over the edges of what is summed together and
// beside words that are too long for it.
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "stochastic/draw_sums.hpp"
#include "stochastic/split_model.hpp"
#include "vocab/rank_file.hpp"

using namespace fissile;

int main() {
    RankTokens tokens;
    for (int byte = 0; byte < 256; ++byte) {
        const auto b = static_cast<std::uint8_t>(byte);
        tokens.add({&b, 1}, static_cast<TokenId>(byte));
    }
    TokenId rank = 256;
    for (const std::size_t size : {2u, 4u, 8u, 300u}) tokens.add(as_bytes(std::string(size, 'a')), rank++);
    const SplitModel model(vocabulary_from_ranks(tokens, {}, "letters"));
    const MergeRelation& merges = *model.merges(false);
    std::mt19937 random(9);
    for (const std::uint32_t longest : {1u, 5u, 60u, 5000u}) {
        std::vector<TokenId> ids;
        std::vector<std::uint32_t> ends;
        for (int word = 0; word < 9000 && ids.size() < 60000; ++word) {
            for (std::size_t n = 1 + random() % longest; n > 0; --n) ids.push_back(250 + random() % 10);
            ends.push_back(static_cast<std::uint32_t>(ids.size()));
        }
        const SpannedIds document{ids.data(), ids.size(), ends.data(), ends.size()};
        DrawSums sums;
        std::size_t n_summed = 0;
        for (std::size_t first = 0; first < ends.size();) {
            const std::uint32_t begin = first == 0 ? 0 : ends[first - 1];
            const std::size_t behind = sums.sum(merges, document, first);
            if (behind == first) {
                CHECK(ends[first] - begin > 2048);
                ++first;
                continue;
            }
            std::uint32_t draw = 0;
            std::size_t i = begin;
            for (std::size_t span = first; span < behind; ++span) {
                std::uint32_t n = 0;
                for (; i < ends[span]; ++i) n += merges.n_merges(ids[i]);
                for (std::size_t from : {std::size_t{0}, span - first}) {
                    if (n != 0) CHECK_EQUAL(sums.find(draw, from), span - first);
                    if (n != 0) CHECK_EQUAL(sums.find(draw + n - 1, from), span - first);
                }
                draw += n;
                CHECK_EQUAL(sums.until(span - first), draw);
            }
            CHECK_EQUAL(sums.total(), draw);
            n_summed += behind - first;
            first = behind;
        }
        CHECK(n_summed > 0);
    }
    return check::result();
}
