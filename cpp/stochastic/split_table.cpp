#include "stochastic/split_table.hpp"

#include <algorithm>

namespace fissile {

namespace {

constexpr unsigned kFewIdBits = 20;

}  // namespace

SplitTable::SplitTable(const Vocabulary& vocabulary)
    : few_pairs_(vocabulary.n_vocab() + kTogether, kMany),
      n_vocab_(vocabulary.n_vocab()),
      id_bits_(vocabulary.n_vocab() <= std::size_t{1} << kFewIdBits ? kFewIdBits : 32),
      id_mask_(static_cast<TokenId>((std::uint64_t{1} << id_bits_) - 1)),
      pair_bytes_(2 * id_bits_ / 8) {
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
    std::size_t n_pairs = 0;
    std::vector<Pair> pairs;
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        pairs.clear();
        const Bytes token = vocabulary.is_model(id) ? vocabulary.token_bytes(id) : Bytes{};
        for (std::size_t cut = 1; cut < token.size(); ++cut) {
            if (!has_length[cut] || !has_length[token.size() - cut]) continue;
            const TokenId left = find_model(token.first(cut));
            if (left == kNoToken) continue;
            const TokenId right = find_model(token.subspan(cut));
            if (right != kNoToken) pairs.push_back({left, right});
        }
        if (id % kTogether == 0) first_.push_back(static_cast<std::uint32_t>(n_pairs));
        few_pairs_[id] = static_cast<std::uint8_t>(std::min<std::size_t>(pairs.size(), kMany));
        if (few_pairs_[id] == kMany) {
            many_[id] = pairs;
            pairs.assign(kMany, Pair{});  // what `place` counts
        }
        append(pairs);
        n_pairs += pairs.size();
        if (n_pairs > 0xffffffffu) throw Error("the tokens of the vocabulary have more than 2^32 splits");
    }
    pairs_.resize(pairs_.size() + sizeof(std::uint64_t), 0);
}

void SplitTable::append(const std::vector<Pair>& pairs) {
    for (const Pair& pair : pairs) {
        const std::uint64_t bits = pair.left | std::uint64_t{pair.right} << id_bits_;
        std::uint8_t bytes[sizeof bits];
        std::memcpy(bytes, &bits, sizeof bits);
        pairs_.insert(pairs_.end(), bytes, bytes + pair_bytes_);
    }
}

}  // namespace fissile
