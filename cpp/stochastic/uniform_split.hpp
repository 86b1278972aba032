// UniformSplit (Cognetta et al., "Distributional properties of subword regularization", arXiv 2408.11443): with
// probability p a word's ids give way to a sequence drawn uniformly from all that spell its bytes.
#pragma once

#include <cstdint>
#include <memory>

#include "encode/splitter.hpp"
#include "stochastic/random.hpp"
#include "vocab/token_prefixes.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class UniformSplit final : public Splitter {
   public:
    // Of what length a sequence is drawn: of any, of the canonical, or of a number of tokens.
    static constexpr std::int64_t kAnyLength = 0, kCanonicalLength = -1;

    // Throws Error if some byte has no token.
    UniformSplit(std::shared_ptr<const Vocabulary> vocabulary, std::shared_ptr<const TokenPrefixes> prefixes, double p,
                 std::int64_t length);

    bool needs_spans() const override { return true; }
    std::unique_ptr<Scratch> make_scratch() const override;
    void split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
               IdArray* parents) const override;

   private:
    class State;

    std::shared_ptr<const Vocabulary> vocabulary_;
    std::shared_ptr<const TokenPrefixes> prefixes_;
    double p_;
    std::int64_t length_;
    Gaps gaps_;
};

// The degenerate case: a token for each character, the tokens of its bytes where it has none. Nothing is random.
class CharacterSplit final : public Splitter {
   public:
    // Throws Error if some byte has no token.
    explicit CharacterSplit(std::shared_ptr<const Vocabulary> vocabulary);

    bool needs_spans() const override { return false; }
    std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Scratch>(); }
    void split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
               IdArray* parents) const override;

   private:
    std::shared_ptr<const Vocabulary> vocabulary_;
};

}  // namespace fissile
