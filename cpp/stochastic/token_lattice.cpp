#include "stochastic/token_lattice.hpp"

#include <algorithm>

namespace fissile {

namespace {

constexpr double kBlock = 0x1p512, kInverseBlock = 0x1p-512;

// The value of a count in blocks of another: 0 where it is beyond a double's reach below it.
double value_in(const TokenLattice::Count& count, std::int64_t blocks) {
    if (count.blocks == blocks) return count.value;
    return count.blocks + 1 == blocks ? count.value * kInverseBlock : 0.0;
}

// Of some weights given one by one, the one that a number from [0, total) falls on; the last that is not zero if
// rounding leaves it beyond all.
class Pick {
   public:
    explicit Pick(double at) : at_(at) {}
    void offer(TokenId id, std::size_t length, double weight) {
        if (found_ || weight == 0.0) return;
        sum_ += weight;
        id_ = id;
        length_ = length;
        found_ = at_ < sum_;
    }
    TokenId id() const { return id_; }
    std::size_t length() const { return length_; }

   private:
    double at_, sum_ = 0.0;
    bool found_ = false;
    TokenId id_ = kNoToken;
    std::size_t length_ = 0;
};

}  // namespace

void TokenLattice::set(const TokenId* ids, std::size_t n) {
    bytes_.clear();
    fallback_.clear();
    for (std::size_t i = 0; i < n; ++i) {
        const Bytes token = vocabulary_.token_bytes(ids[i]);
        bytes_.insert(bytes_.end(), token.begin(), token.end());
        fallback_.resize(bytes_.size(), vocabulary_.is_model(ids[i]) ? kNoToken : ids[i]);
    }
}

TokenLattice::Count TokenLattice::count() {
    const std::size_t n = bytes_.size();
    counts_.assign(n + 1, Count());
    counts_[n].value = 1.0;
    for (std::size_t i = n; i-- > 0;) {
        if (interrupt != nullptr && i % 64 == 0) interrupt->check();
        Count& sum = counts_[i];
        each_token(i, [&](TokenId, std::size_t length) {
            const Count& rest = counts_[i + length];
            if (rest.value == 0.0) return;
            if (sum.value == 0.0 || rest.blocks > sum.blocks) {
                sum.value = value_in(sum, rest.blocks);
                sum.blocks = rest.blocks;
            }
            sum.value += value_in(rest, sum.blocks);
        });
        if (sum.value >= kBlock) {
            sum.value *= kInverseBlock;
            ++sum.blocks;
        }
    }
    return counts_[0];
}

void TokenLattice::draw(RandomWords& words, std::vector<TokenId>& ids) const {
    for (std::size_t i = 0; i < bytes_.size();) {
        Pick pick(words.next_unit() * counts_[i].value);
        each_token(i, [&](TokenId id, std::size_t length) {
            pick.offer(id, length, value_in(counts_[i + length], counts_[i].blocks));
        });
        ids.push_back(pick.id());
        i += pick.length();
    }
}

double TokenLattice::count_by_length(std::size_t n_tokens) {
    const std::size_t n = bytes_.size();
    if (n > kMaxByLength || n_tokens > n) return 0.0;
    by_length_.assign((n_tokens + 1) * (n + 1), 0.0);
    by_length_[n] = 1.0;
    for (std::size_t i = n; i-- > 0;) {
        each_token(i, [&](TokenId, std::size_t length) {
            for (std::size_t k = 1; k <= n_tokens; ++k) {
                by_length_[k * (n + 1) + i] += by_length_[(k - 1) * (n + 1) + i + length];
            }
        });
    }
    return by_length_[n_tokens * (n + 1)];
}

void TokenLattice::draw_by_length(std::size_t n_tokens, RandomWords& words, std::vector<TokenId>& ids) const {
    const std::size_t n = bytes_.size();
    std::size_t i = 0;
    for (std::size_t k = n_tokens; k > 0; --k) {
        Pick pick(words.next_unit() * by_length_[k * (n + 1) + i]);
        each_token(i, [&](TokenId id, std::size_t length) {
            pick.offer(id, length, by_length_[(k - 1) * (n + 1) + i + length]);
        });
        ids.push_back(pick.id());
        i += pick.length();
    }
}

}  // namespace fissile
