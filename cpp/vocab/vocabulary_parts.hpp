// A Vocabulary as flat arrays, and back: what Fissile's own file form holds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

struct VocabularyParts {
    // What decides which pairs merge.
    enum class Rule : std::uint8_t { kRanks, kMerges, kScores };
    // Of each id: at most one of the first three, and the last two for tokens found in text beside the model.
    enum Role : std::uint8_t { kModel = 1, kOpaque = 2, kFallback = 4, kAdded = 8, kSpecial = 16 };

    std::vector<std::uint8_t> token_data;
    std::vector<std::uint32_t> token_begin;  // n_vocab + 1
    std::vector<std::uint8_t> roles;         // n_vocab; 0: no token has this id
    std::vector<Merge> merges;               // kMerges: in order
    std::vector<TokenId> results;            // kScores: pieces in order of score
    std::vector<std::uint32_t> orders;       // kScores: of each of those, where scores are equal the first's place
    std::vector<TokenId> unused;             // kScores: those that come apart again
};

VocabularyParts parts_of(const Vocabulary& vocabulary, VocabularyParts::Rule rule);

// Throws FileError, which begins with `source`, where the parts do not fit together.
std::shared_ptr<const Vocabulary> vocabulary_from_parts(const VocabularyParts& parts, VocabularyParts::Rule rule,
                                                        const ModelOptions& options, const std::string& source);

}  // namespace fissile
