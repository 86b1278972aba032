// BPE-dropout (Provilkov et al., arXiv 1910.13267) of ids that are merged already.
//
// The draws of a document form one row, held as gaps between drops. Canonical merging of a word makes a known number of
// draws; if the next drop lies behind them the word keeps its canonical ids, and nothing is merged or looked up. Else
// the word is merged anew with the drops where they fall. What comes of a word and its first few drops is remembered by
// each thread, so that a frequent word is merged anew only for rare rows of drops. Remembering changes no ids: the
// draws are the same.
//
// The definitions of the laws are in dropout_laws.hpp. An undisturbed word has its canonical ids by definition, also
// where these do not come from merging (a span that is a token, under ignore_merges).
#pragma once

#include <memory>
#include <vector>

#include "encode/splitter.hpp"
#include "stochastic/dropout_laws.hpp"

namespace fissile {

class BpeDropout final : public Splitter {
   public:
    // Throws Error if some byte has no token. `remembers` is false in tests that compare with the plain way.
    BpeDropout(std::shared_ptr<const MergeRelation> merges, double p, DropoutLaw law, bool remembers = true);

    bool needs_spans() const override { return true; }
    std::unique_ptr<Scratch> make_scratch() const override;
    void split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
               IdArray* parents) const override;

   private:
    class State;

    void redraw(const TokenId* ids, std::size_t n, State& state) const;
    void load(const TokenId* ids, std::size_t n, DropoutWord& word) const;
    std::uint64_t n_merges(const TokenId* ids, std::size_t n) const;

    std::shared_ptr<const MergeRelation> merges_;
    double p_;
    DropoutLaw law_;
    bool remembers_;
    bool draws_once_a_merge_;
    Gaps gaps_;
};

}  // namespace fissile
