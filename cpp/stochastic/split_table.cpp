#include "stochastic/split_table.hpp"

#include <algorithm>

namespace fissile {

SplitTable::SplitTable(const Vocabulary& vocabulary)
    : n_pairs_(vocabulary.n_vocab(), 0), entries_(vocabulary.n_vocab() + 1, Entry{}) {
    // A half is looked up only if some token has its length: few do beyond a word's, so a very long token costs its
    // length and not the square of it.
    std::vector<bool> has_length;
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        const std::size_t size = vocabulary.token_bytes(id).size();
        if (!vocabulary.is_model(id)) continue;
        if (size >= has_length.size()) has_length.resize(size + 1, false);
        has_length[size] = true;
    }
    const auto find_model = [&](Bytes bytes) {
        const TokenId id = vocabulary.find(bytes);
        return id != kNoToken && vocabulary.is_model(id) && !vocabulary.is_unused(id) ? id : kNoToken;
    };
    std::vector<Pair> pairs;
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        const Bytes token = vocabulary.token_bytes(id);
        if (!vocabulary.is_model(id)) continue;
        pairs.clear();
        for (std::size_t cut = 1; cut < token.size(); ++cut) {
            if (!has_length[cut] || !has_length[token.size() - cut]) continue;
            const TokenId left = find_model(token.first(cut));
            if (left == kNoToken) continue;
            const TokenId right = find_model(token.subspan(cut));
            if (right != kNoToken) pairs.push_back({left, right});
        }
        set(id, pairs);
    }
}

void SplitTable::set(TokenId id, const std::vector<Pair>& pairs) {
    Entry& entry = entries_[id];
    const bool fits = pairs.size() <= kPairs && std::all_of(pairs.begin(), pairs.end(), [](const Pair& pair) {
                          return pair.left < kIdLimit && pair.right < kIdLimit;
                      });
    if (fits) {
        n_pairs_[id] = static_cast<std::uint8_t>(pairs.size());
        std::uint8_t* out = entry.bytes;
        for (const Pair& pair : pairs) {
            const std::uint64_t bits = pair.left | std::uint64_t{pair.right} << kIdBits;
            std::memcpy(out, &bits, kPairBytes);
            out += kPairBytes;
        }
        return;
    }
    if (others_.size() + pairs.size() > 0xffffffffu) {
        throw Error("the tokens of the vocabulary have more than 2^32 splits");
    }
    const Range range{static_cast<std::uint32_t>(others_.size()), static_cast<std::uint32_t>(pairs.size())};
    n_pairs_[id] = kMany;
    std::memcpy(entry.bytes, &range, sizeof range);
    others_.insert(others_.end(), pairs.begin(), pairs.end());
}

}  // namespace fissile
