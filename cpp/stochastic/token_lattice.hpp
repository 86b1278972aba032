// All ways to spell some bytes in tokens: their number, and one of them drawn uniformly.
//
// N(i), the number of ways to spell the bytes from i on, is the sum of N(i + length) over the tokens that begin there,
// from the end backwards; a way is drawn from the front, each token with probability N(i + length) / N(i). (Cognetta
// et al., arXiv 2408.11443, build the same lattice as a transducer.) Numbers of ways leave 64 bits at some seventy
// letters, so each is a double and an exponent in blocks of 2^512: exact up to 2^53, and to 1e-12 beyond.
//
// Tokens are those of the model, and the byte-fallback token of a byte that the canonical ids spell with one.
// O(n * longest token).
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/interrupt.hpp"
#include "stochastic/random.hpp"
#include "vocab/token_prefixes.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class TokenLattice {
   public:
    TokenLattice(const Vocabulary& vocabulary, const TokenPrefixes& prefixes)
        : vocabulary_(vocabulary), prefixes_(prefixes) {}

    Interrupt* interrupt = nullptr;  // looked at now and then, if there is one

    // Spans of more bytes than this are not drawn from by number of tokens.
    static constexpr std::size_t kMaxByLength = 1000;

    // Takes the bytes that some ids spell.
    void set(const TokenId* ids, std::size_t n);
    std::size_t n_bytes() const { return bytes_.size(); }

    // Value * 2^(512 * blocks).
    struct Count {
        double value = 0.0;
        std::int64_t blocks = 0;
    };
    // Number of ways to spell the bytes; draw() needs it to have been called.
    Count count();
    // Appends a uniformly drawn way.
    void draw(RandomWords& words, std::vector<TokenId>& ids) const;

    // The same for ways of exactly n_tokens tokens and at most kMaxByLength bytes.
    double count_by_length(std::size_t n_tokens);
    void draw_by_length(std::size_t n_tokens, RandomWords& words, std::vector<TokenId>& ids) const;

   private:
    template <class Visit>
    void each_token(std::size_t i, const Visit& visit) const {
        if (fallback_[i] != kNoToken) visit(fallback_[i], std::size_t{1});
        prefixes_.each(Bytes(bytes_).subspan(i), visit);
    }

    const Vocabulary& vocabulary_;
    const TokenPrefixes& prefixes_;
    std::vector<std::uint8_t> bytes_;
    std::vector<TokenId> fallback_;  // of each byte
    std::vector<Count> counts_;
    std::vector<double> by_length_;  // [tokens left][position]
};

}  // namespace fissile
