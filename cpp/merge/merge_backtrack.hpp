// Merging a long piece in linear time, without merging: tokens are laid from left to right, longest first, and taken
// back where two neighbours could not stand beside each other. For pieces of long tokens, as rows of spaces are; others
// are quicker in windows (merge_windows.hpp).
//
// A sequence of reachable tokens is the canonical encoding exactly if each neighbouring pair is: encoding the bytes of
// the two gives the two. Unmerging both along their splits decides that (is_canonical_pair). So a depth-first search
// over "next longest token here" finds the encoding; a position from which no continuation works is never tried again,
// which bounds the work by the length times the depth of prefixes. The method is that of GitHub's `bpe` crate
// (2024, "So many tokens, so little time"). Needs every byte to be a token and merges_are_ordered().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "vocab/token_prefixes.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

struct BacktrackScratch {
    std::vector<std::uint64_t> dead;  // a bit a position: no encoding goes on from here
};

// Whether encoding the bytes of left and right together gives these two tokens.
bool is_canonical_pair(const Vocabulary& vocabulary, TokenId left, TokenId right) noexcept;
// Whether the two merge with this rank and, merging the bytes of both, nothing but them is left when it has its turn.
bool is_canonical_pair_at(const Vocabulary& vocabulary, TokenId left, TokenId right, std::uint32_t rank) noexcept;

// is_canonical_pair, with the answers for pairs asked about lately: pieces of long tokens, as rules and rows of spaces
// are, ask for the same ones. For all threads, without locks.
class CanonicalPairs {
   public:
    explicit CanonicalPairs(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

    bool hold(TokenId left, TokenId right) noexcept;

   private:
    static constexpr unsigned kBits = 12;
    // Bits that ids leave free.
    static constexpr std::uint64_t kKnown = std::uint64_t{1} << 62, kYes = std::uint64_t{1} << 63;
    static_assert(kMaxTokenId < 1u << 30);

    const Vocabulary& vocabulary_;
    std::array<std::atomic<std::uint64_t>, 1 << kBits> words_{};
};

// Appends the canonical encoding of a piece to ids.
void merge_backtrack(const Vocabulary& vocabulary, const TokenPrefixes& prefixes, CanonicalPairs& pairs, Bytes piece,
                     std::vector<TokenId>& ids, BacktrackScratch& scratch, Interrupt* interrupt = nullptr);

}  // namespace fissile
