#include "stochastic/split_table.hpp"

#include <algorithm>

namespace fissile {

SplitTable::SplitTable(const Vocabulary& vocabulary) : ranges_(vocabulary.n_vocab(), Range{0, 0}) {
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
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        const Bytes token = vocabulary.token_bytes(id);
        ranges_[id].first = static_cast<std::uint32_t>(pairs_.size());
        if (!vocabulary.is_model(id)) continue;
        for (std::size_t cut = 1; cut < token.size(); ++cut) {
            if (!has_length[cut] || !has_length[token.size() - cut]) continue;
            const TokenId left = find_model(token.first(cut));
            if (left == kNoToken) continue;
            const TokenId right = find_model(token.subspan(cut));
            if (right != kNoToken) pairs_.push_back({left, right});
        }
        if (pairs_.size() > 0xffffffffu) throw Error("the tokens of the vocabulary have more than 2^32 splits");
        ranges_[id].n = static_cast<std::uint32_t>(pairs_.size()) - ranges_[id].first;
    }
    pairs_.push_back({kNoToken, kNoToken});  // so that every range begins at a pair that can be read
}

}  // namespace fissile
