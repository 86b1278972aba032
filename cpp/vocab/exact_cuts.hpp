// Where a text can be cut without changing its ids.
//
// Merging joins bytes only into tokens. Between two characters that no token of the vocabulary holds side by side,
// nothing can ever merge, so what stands left and right of that place is merged independently. Chinese and Japanese
// text falls into pieces of one or two characters this way; SentencePiece text falls apart in front of its spaces
// without anybody knowing what a word is.
//
// The index is a set of (left character, right character) pairs seen inside tokens: a bit table for two ASCII
// characters, a hashed bit set for the rest. A false positive of the bit set only misses a cut. Tokens that begin or
// end inside a character are kept by their one known byte. No cut is made beside bytes that are not valid UTF-8.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "pretokenize/pretokenizer.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class ExactCuts {
   public:
    // `before_spaces`: also cut before every space, as a pre-tokenizer that splits there asks for.
    explicit ExactCuts(const Vocabulary& vocabulary, bool before_spaces = false);

    // Writes the ends of the pieces of `text` from `position` on, which is the start of a piece; the text's end is an
    // end. Same contract as a ScanFunction: at most `capacity` ends, stops only between pieces.
    ScanResult cut(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity) const;
    // The same but between two ASCII letters, where mostly no cut is possible and none is looked for.
    ScanResult cut_words(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity) const;

    // Whether no text is cut anywhere.
    bool cuts_nowhere() const { return never_; }

   private:
    template <bool kInsideWords>
    ScanResult cut_all(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity) const;

    // A character as the bytes it has in text, packed; marks beside the bytes tell what is known of it.
    static constexpr std::uint64_t kOneByteOnly = std::uint64_t{1} << 32;

    static std::uint64_t hash(std::uint64_t left, std::uint64_t right) {
        return fold_multiply(left ^ kHashSeed1, right ^ kHashSeed2);
    }
    bool in_set(std::uint64_t left, std::uint64_t right) const {
        const std::uint64_t h = hash(left, right);
        return (pairs_[(h >> 6) & pairs_mask_] >> (h & 63)) & 1;
    }
    bool ascii_joined(std::uint8_t left, std::uint8_t right) const {
        return (ascii_[left][right >> 6] >> (right & 63)) & 1;
    }
    bool joined(std::uint32_t left, std::uint32_t right, std::uint8_t left_last, std::uint8_t right_first) const;
    bool joined_by_parts(std::uint32_t left, std::uint32_t right, std::uint8_t left_last,
                         std::uint8_t right_first) const {
        return in_set(kOneByteOnly | left_last, right) | in_set(left, kOneByteOnly | right_first) |
               in_set(kOneByteOnly | left_last, kOneByteOnly | right_first);
    }
    bool may_join_by_parts(std::uint8_t left_last, std::uint8_t right_first) const {
        return (partial_[left_last][right_first >> 6] >> (right_first & 63)) & 1;
    }
    std::size_t cut_three_bytes(Bytes text, std::size_t i, std::uint32_t left, std::uint32_t* ends, std::size_t& n_ends,
                                std::size_t capacity) const;
    void note_ascii(std::uint8_t left, std::uint8_t right) {
        ascii_[left][right >> 6] |= std::uint64_t{1} << (right & 63);
    }
    void note_pairs(Bytes token, std::vector<std::uint32_t>& pairs);

    bool metaspace_ = false;
    bool never_ = false;  // merges of byte-fallback tokens exist: cut nowhere
    bool before_spaces_ = false;
    std::array<std::array<std::uint64_t, 2>, 128> ascii_{};
    std::vector<std::uint64_t> pairs_;
    std::uint64_t pairs_mask_ = 0;
    // (last byte of the left character, first byte of the right one) of tokens with a partial character.
    std::array<std::array<std::uint64_t, 4>, 256> partial_{};
};

}  // namespace fissile
