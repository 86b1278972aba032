// Rank files (.tiktoken): a token in base64, a space, its rank, a line each. The rank is the id and the merge priority.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

// Tokens beside those that merge, and their ids.
using SpecialIds = std::vector<std::pair<std::string, TokenId>>;

// Ranks must be distinct and, together with the special tokens' ids, leave no hole below the largest rank.
// Throws FileError naming the line, what it holds and what was expected.
std::shared_ptr<const Vocabulary> vocabulary_from_rank_file(Bytes file, const SpecialIds& specials,
                                                            const std::string& source);

// Tokens and their ranks, bytes in one array.
class RankTokens {
   public:
    void add(Bytes token, TokenId rank) {
        bytes_.insert(bytes_.end(), token.begin(), token.end());
        entries_.push_back({bytes_.size(), rank});
    }
    std::size_t size() const { return entries_.size(); }
    Bytes token(std::size_t i) const {
        const std::size_t begin = i == 0 ? 0 : entries_[i - 1].end;
        return {bytes_.data() + begin, entries_[i].end - begin};
    }
    TokenId rank(std::size_t i) const { return entries_[i].rank; }

   private:
    struct Entry {
        std::size_t end;
        TokenId rank;
    };
    std::vector<std::uint8_t> bytes_;
    std::vector<Entry> entries_;
};

// The same of tokens that stand in no file.
std::shared_ptr<const Vocabulary> vocabulary_from_ranks(const RankTokens& tokens, const SpecialIds& specials,
                                                        const std::string& source);

}  // namespace fissile
