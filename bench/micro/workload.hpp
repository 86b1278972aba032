// What the stages work on: a text, a vocabulary, and what each stage hands to the next.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base.hpp"
#include "merge/piece_table.hpp"
#include "pretokenize/pretokenizer.hpp"
#include "train/pretoken_counts.hpp"
#include "vocab/vocabulary.hpp"

namespace micro {

using namespace fissile;

// Text made up of words, numbers, punctuation and code, some of it not ASCII; the same on every machine, for ever, as
// committed counts of instructions rest on it.
std::string made_up_text(std::size_t n_bytes);

// Distinct pretokens of a text and how often each occurs.
PretokenCounts count_pretokens(Bytes text, Pattern pattern);

// The tokens of a vocabulary of that many ids trained on counts, 256 bytes first.
std::shared_ptr<const Vocabulary> train_vocabulary(const PretokenCounts& counts, std::size_t n_vocab);

struct Workload {
    Workload(std::string text, Pattern pattern, std::shared_ptr<const Vocabulary> vocabulary, std::size_t n_vocab);

    // The text, and 64 bytes behind it that may be read.
    Bytes bytes() const { return {text.data(), text.size() - 64}; }
    Bytes pretoken(std::size_t i) const {
        const std::uint32_t begin = i == 0 ? 0 : ends[i - 1];
        return bytes().subspan(begin, ends[i] - begin);
    }

    std::vector<std::uint8_t> text;
    Pattern pattern;
    PretokenCounts counts;
    std::shared_ptr<const Vocabulary> vocabulary;
    std::vector<std::uint32_t> ends;      // of pretokens, in bytes
    std::vector<PieceKey> keys;           // of pretokens
    std::vector<TokenId> ids;             // of the text
    std::vector<std::uint32_t> ids_ends;  // of pretokens, in ids
};

}  // namespace micro
