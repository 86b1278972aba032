// Models whose files spell tokens as strings: the BPE model of a tokenizer.json, with merges as pairs of strings, and
// the pieces of a SentencePiece model, with scores.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base.hpp"
#include "vocab/token_index.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

struct HfToken {
    std::string_view text;
    TokenId id;
};
// The tokens of a model, found by their text once they are indexed.
class HfTokens {
   public:
    void reserve(std::size_t n) { tokens_.reserve(n); }
    void add(std::string_view text, TokenId id) { tokens_.push_back({text, id}); }
    // Whether no text was given twice.
    bool index();

    const std::vector<HfToken>& all() const { return tokens_; }
    // The id of a token, or kNoToken.
    TokenId find(std::string_view text) const;
    // Its place in all(), or kNowhere, given its TokenIndex::hash.
    static constexpr std::size_t kNowhere = ~std::size_t{0};
    std::size_t place_of(std::string_view text, std::uint64_t hash) const;
    FISSILE_PREFETCHES void ask(std::uint64_t hash) const noexcept { index_.ask(hash); }

   private:
    std::vector<HfToken> tokens_;
    TokenIndex index_;  // of places
};
struct HfMerge {
    std::string_view left, right;
};
struct HfAddedToken {
    std::string_view text;
    TokenId id;
    bool special;
};

// The ids that `tokenizers` gives to added tokens, whatever id the file has for them: that of the model's token with
// this text, and to the others the next ones after as many as the model has tokens, in the order of the file. Throws
// FileError where one of these is a token's of the model. The tokens are indexed, and no text is given twice.
std::vector<TokenId> ids_of_added(const HfTokens& tokens, const std::vector<std::string_view>& texts,
                                  const std::string& source);

struct HfModel {
    Alphabet alphabet = Alphabet::kBytes;
    bool metaspace = false;  // U+2581 in tokens stands for a space
    bool ignore_merges = false;
    bool byte_fallback = false;
    bool fuse_unk = false;
    std::optional<std::string> unk_token;
    std::vector<HfAddedToken> added_tokens;
};

// Throws FileError for merges of unknown tokens, ids given twice, holes. The tokens are indexed.
std::shared_ptr<const Vocabulary> vocabulary_from_hf(const HfModel& model, const HfTokens& tokens,
                                                     const std::vector<HfMerge>& merges, const std::string& source);

// Pieces of a SentencePiece model of type BPE, ids in order.
struct ScoredPiece {
    std::string text;  // UTF-8, U+2581 for a space
    float score;
    std::uint8_t type;  // as in sentencepiece_model.proto: 1 normal, 2 unknown, 3 control, 4 user defined, 6 byte
};
using ScoredPieces = std::vector<ScoredPiece>;

std::shared_ptr<const Vocabulary> vocabulary_from_scores(const ScoredPieces& pieces, bool byte_fallback,
                                                         std::int64_t unk_id, const std::string& source);

}  // namespace fissile
