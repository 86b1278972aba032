#include "stochastic/split_table.hpp"

#include <algorithm>

namespace fissile {

namespace {

constexpr unsigned kFewIdBits = 20;

}  // namespace

SplitTable::SplitTable(const Vocabulary& vocabulary)
    : few_pairs_(vocabulary.n_vocab() + 1, kMany),
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
    first_.reserve(vocabulary.n_vocab() + 1);
    first_.push_back(0);
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        const Bytes token = vocabulary.token_bytes(id);
        if (vocabulary.is_model(id)) {
            for (std::size_t cut = 1; cut < token.size(); ++cut) {
                if (!has_length[cut] || !has_length[token.size() - cut]) continue;
                const TokenId left = find_model(token.first(cut));
                if (left == kNoToken) continue;
                const TokenId right = find_model(token.subspan(cut));
                if (right == kNoToken) continue;
                append({left, right});
                ++n_pairs;
            }
        }
        if (n_pairs > 0xffffffffu) throw Error("the tokens of the vocabulary have more than 2^32 splits");
        few_pairs_[id] = static_cast<std::uint8_t>(std::min<std::size_t>(n_pairs - first_.back(), kMany));
        first_.push_back(static_cast<std::uint32_t>(n_pairs));
    }
    pairs_.resize(pairs_.size() + sizeof(std::uint64_t), 0);
}

void SplitTable::append(Pair pair) {
    const std::uint64_t bits = pair.left | std::uint64_t{pair.right} << id_bits_;
    std::uint8_t bytes[sizeof bits];
    std::memcpy(bytes, &bits, sizeof bits);
    pairs_.insert(pairs_.end(), bytes, bytes + pair_bytes_);
}

}  // namespace fissile
