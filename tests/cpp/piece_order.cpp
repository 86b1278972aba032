// Pieces in order, of short documents and of long ones in place, against a list into which each right half is put.
#include "stochastic/piece_order.hpp"

#include <list>
#include <random>

#include "check.hpp"

using namespace fissile;

namespace {

struct Placed {
    TokenId id, parent;
};

std::vector<Placed> in_order(const std::vector<TokenId>& ids, std::size_t n_input,
                             const std::vector<std::uint32_t>& lefts) {
    std::list<Placed> order;
    std::vector<std::list<Placed>::iterator> places;
    for (std::size_t i = 0; i < n_input; ++i) {
        places.push_back(order.insert(order.end(), {ids[i], static_cast<TokenId>(i)}));
    }
    for (std::size_t i = 0; i < lefts.size(); ++i) {
        const auto left = places[lefts[i]];
        places.push_back(order.insert(std::next(left), {ids[n_input + i], left->parent}));
    }
    return {order.begin(), order.end()};
}

bool are(const std::vector<Placed>& expected, const TokenId* ids, const TokenId* parents, TokenId first_parent) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (ids[i] != expected[i].id || parents[i] != first_parent + expected[i].parent) return false;
    }
    return true;
}

}  // namespace

int main() {
    std::mt19937 random(3);
    PieceOrder order;
    constexpr std::size_t kBlock = PieceOrder::kBlock, kSpare = PieceOrder::kSpare;
    for (const std::size_t n_input : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{1000}, kBlock - 1,
                                      kBlock, kBlock + 1, 3 * kBlock + 17}) {
        for (const std::size_t n_splits : {std::size_t{0}, std::size_t{1}, n_input / 10, 2 * n_input}) {
            std::vector<TokenId> ids;
            std::vector<std::uint32_t> lefts;
            for (std::size_t i = 0; i < n_input + n_splits; ++i) ids.push_back(static_cast<TokenId>(random()));
            for (std::size_t i = 0; i < n_splits; ++i) {
                // The last places, too, where what is copied too much would go over what is there.
                const auto n = static_cast<std::uint32_t>(n_input + i);
                lefts.push_back(i % 8 == 0 ? n - 1 : static_cast<std::uint32_t>(random() % n));
                if (i % 16 == 1) lefts.back() = static_cast<std::uint32_t>(std::min(n_input, kBlock) - 1);
            }
            const std::vector<Placed> expected = in_order(ids, n_input, lefts);
            ids.resize(ids.size() + kSpare);
            std::vector<TokenId> out(ids.size()), parents(expected.size());
            order.write({ids.data(), n_input, lefts.data(), n_splits}, out.data(), parents.data(), 7, nullptr);
            CHECK(are(expected, out.data(), parents.data(), 7));
            order.write({ids.data(), n_input, lefts.data(), n_splits}, out.data(), nullptr, 0, nullptr);
            CHECK(are(expected, out.data(), parents.data(), 7));
            order.write_in_place(ids.data(), n_input, lefts.data(), n_splits, parents.data(), nullptr);
            CHECK(are(expected, ids.data(), parents.data(), 0));
        }
    }
    return check::result();
}
