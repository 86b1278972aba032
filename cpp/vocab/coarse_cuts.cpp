#include "vocab/coarse_cuts.hpp"

#include <array>
#include <bit>
#include <bitset>
#include <vector>

#include "cpu/isa.hpp"

namespace fissile {

namespace {

// Which bytes stand side by side in tokens, where the right one begins a character.
struct JoinedBytes {
    std::array<std::bitset<128>, 128> ascii;                   // [left][right], both ASCII
    std::bitset<128> wide_before, wide_after;                  // ASCII behind, and in front of, a byte that is not
    std::array<std::uint32_t, 128> n_beginning{}, n_ending{};  // tokens that begin and end with an ASCII character

    void note(Bytes token) {
        if (token.front() < 0x80) ++n_beginning[token.front()];
        if (token.back() < 0x80) ++n_ending[token.back()];
        for (std::size_t i = 1; i < token.size(); ++i) {
            const std::uint8_t left = token[i - 1], right = token[i];
            if (left < 0x80 && right < 0x80) {
                ascii[left].set(right);
            } else if (right < 0x80) {
                wide_before.set(right);
            } else if (left < 0x80) {
                wide_after.set(left);
            }
        }
    }
};

// Characters that join with the same ones on their right.
struct Kind {
    std::bitset<128> members, joins;
    double weight;  // how often a cut may follow one of them, guessed: how many tokens end with it
    bool joins_wide;
};

double weight_of(const std::bitset<128>& bytes, const std::array<double, 128>& weights) {
    const std::bitset<128> lower_half(~std::uint64_t{0});
    double sum = 0;
    for (const std::size_t first : {std::size_t{0}, std::size_t{64}}) {
        for (std::uint64_t left = (bytes >> first & lower_half).to_ullong(); left != 0; left &= left - 1) {
            sum += weights[first + static_cast<std::size_t>(std::countr_zero(left))];
        }
    }
    return sum;
}

// Cuts that are lost when both kinds join with all that either does.
double cost_of(const Kind& a, const Kind& b, const std::array<double, 128>& weights) {
    return a.weight * weight_of(b.joins & ~a.joins, weights) + b.weight * weight_of(a.joins & ~b.joins, weights);
}

void put_together(Kind& into, const Kind& other) {
    into.members |= other.members;
    into.joins |= other.joins;
    into.weight += other.weight;
    into.joins_wide |= other.joins_wide;
}

std::vector<Kind> different_kinds(const JoinedBytes& joined) {
    std::vector<Kind> kinds;
    for (std::size_t byte = 0; byte < 128; ++byte) {
        const Kind kind{std::bitset<128>().set(byte), joined.ascii[byte], 1.0 + joined.n_ending[byte],
                        joined.wide_after[byte]};
        bool known = false;
        for (Kind& other : kinds) {
            if (other.joins != kind.joins || other.joins_wide != kind.joins_wide) continue;
            put_together(other, kind);
            known = true;
            break;
        }
        if (!known) kinds.push_back(kind);
    }
    return kinds;
}

void put_cheapest_together(std::vector<Kind>& kinds, std::size_t n_wanted, const std::array<double, 128>& weights) {
    std::vector<std::vector<double>> costs(kinds.size());  // [i][j], j < i
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) costs[i].push_back(cost_of(kinds[i], kinds[j], weights));
    }
    while (kinds.size() > n_wanted) {
        std::size_t a = 1, b = 0;
        for (std::size_t i = 1; i < kinds.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j) {
                if (costs[i][j] < costs[a][b]) a = i, b = j;
            }
        }
        put_together(kinds[b], kinds[a]);
        // The last kind moves to the place of the one that is gone.
        const std::size_t last = kinds.size() - 1;
        kinds[a] = kinds[last];
        for (std::size_t j = 0; j < last; ++j) {
            if (j < a) costs[a][j] = costs[last][j];
            if (j > a) costs[j][a] = costs[last][j];
        }
        kinds.pop_back();
        costs.pop_back();
        for (std::size_t j = 0; j < kinds.size(); ++j) {
            if (j != b) costs[j > b ? j : b][j > b ? b : j] = cost_of(kinds[b], kinds[j], weights);
        }
    }
}

// Characters are put together until there are CutClasses::kMost kinds of them, those first which that costs the fewest
// cuts.
CutClasses classes_of(const JoinedBytes& joined) {
    std::array<double, 128> weights;
    for (std::size_t byte = 0; byte < 128; ++byte) weights[byte] = 1.0 + joined.n_beginning[byte];
    std::vector<Kind> kinds = different_kinds(joined);
    put_cheapest_together(kinds, CutClasses::kMost, weights);

    CutClasses classes;
    classes.right_lead = CutClasses::kWideLeft;
    for (std::size_t k = 0; k < kinds.size(); ++k) {
        const auto bit = static_cast<std::uint8_t>(1u << k);
        for (std::size_t byte = 0; byte < 128; ++byte) {
            if (kinds[k].members[byte]) classes.left[byte] |= bit;
            if (kinds[k].joins[byte]) classes.right[byte] |= bit;
        }
        if (kinds[k].joins_wide) classes.right_lead |= bit;
    }
    for (std::size_t byte = 0; byte < 128; ++byte) {
        if (joined.wide_before[byte]) classes.right[byte] |= CutClasses::kWideLeft;
    }
    return classes;
}

}  // namespace

CoarseCuts::CoarseCuts(const Vocabulary& vocabulary, bool before_spaces) : scan_(cut_scanner_for(chosen_isa())) {
    JoinedBytes joined;
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        if (vocabulary.is_reachable(id) && vocabulary.split_of(id).first != kNoToken)
            joined.note(vocabulary.token_bytes(id));
    }
    classes_ = classes_of(joined);
    classes_.metaspace = vocabulary.options().metaspace;
    classes_.before_spaces = before_spaces;
}

}  // namespace fissile
