// The symbols of ASCII characters and the ranks of their pairs, of a vocabulary over characters: most of what an
// unknown word begins as, without decoding it or asking the table of pairs. 64 KB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "merge/merge_keys.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class AsciiSymbols {
   public:
    explicit AsciiSymbols(const Vocabulary& vocabulary) : ranks_(std::size_t{128} * 128, kNoRank) {
        for (std::uint32_t c = 0; c < 128; ++c) symbols_[c] = vocabulary.char_symbol(c);
        for (std::size_t left = 0; left < 128; ++left) {
            for (std::size_t right = 0; right < 128; ++right) {
                if (symbols_[left] == kNoToken || symbols_[right] == kNoToken) continue;
                ranks_[left * 128 + right] = vocabulary.pairs().find(symbols_[left], symbols_[right]);
            }
        }
    }

    // Whether a piece is of ASCII characters alone that all are symbols.
    bool spells(Bytes piece) const {
        bool spelt = true;
        for (const std::uint8_t byte : piece) spelt &= byte < 128 && symbols_[byte & 127] != kNoToken;
        return spelt;
    }
    TokenId byte_symbol(std::uint8_t byte) const { return symbols_[byte]; }
    std::uint32_t byte_pair_rank(std::uint8_t left, std::uint8_t right) const {
        return ranks_[std::size_t{left} * 128 + right];
    }

    ByteSymbols byte_symbols() const { return {symbols_.data(), ranks_.data(), 7}; }

   private:
    std::array<TokenId, 128> symbols_;
    std::vector<std::uint32_t> ranks_;
};

}  // namespace fissile
