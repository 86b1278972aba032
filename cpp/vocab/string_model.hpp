// Models whose files spell tokens as strings: the BPE model of a tokenizer.json, with merges as pairs of strings, and
// the pieces of a SentencePiece model, with scores.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

struct HfToken {
    std::string_view text;
    TokenId id;
};
struct HfMerge {
    std::string_view left, right;
};
struct HfAddedToken {
    std::string_view text;
    TokenId id;
    bool special;
};

struct HfModel {
    Alphabet alphabet = Alphabet::kBytes;
    bool metaspace = false;  // U+2581 in tokens stands for a space
    bool ignore_merges = false;
    bool byte_fallback = false;
    bool fuse_unk = false;
    std::optional<std::string> unk_token;
    std::vector<HfToken> tokens;
    std::vector<HfMerge> merges;
    std::vector<HfAddedToken> added_tokens;
};

// Throws FileError for merges of unknown tokens, ids given twice, holes.
std::shared_ptr<const Vocabulary> vocabulary_from_hf(const HfModel& model, const std::string& source);

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
