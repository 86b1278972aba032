// BPE-dropout (Provilkov et al., arXiv 1910.13267) of ids that are merged already.
//
// Canonical merging of a word makes a known number of draws. So one gap, the number of draws before the first that
// drops, tells which word is disturbed next and where; all before it keep their canonical ids, and nothing is merged or
// looked up. That word is merged anew, with further gaps from a stream of their own, and behind it the wait begins
// anew, as a geometric law has no memory. Which words are disturbed thus depends on no merging, and the memory that
// merging them will need is asked for ahead. A thread remembers, in a way that changes no ids: by the laws of the paper
// and of sentencepiece, all that may become of a word (word_merges.hpp, 34 MiB); by the others, what a word became with
// one drop or two (9 MiB).
//
// The definitions of the laws are in dropout_laws.hpp. An undisturbed word has its canonical ids by definition, also
// where these do not come from merging (a span that is a token, under ignore_merges).
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "encode/splitter.hpp"
#include "stochastic/dropout_laws.hpp"
#include "stochastic/replay.hpp"

namespace fissile {

class WordMerges;

class BpeDropout final : public Splitter {
   public:
    // Throws Error if some byte has no token. `remembers` is false in tests that compare with the plain way.
    BpeDropout(std::shared_ptr<const MergeRelation> merges, double p, DropoutLaw law, bool remembers = true);

    ~BpeDropout() override;
    BpeDropout(const BpeDropout&) = delete;
    BpeDropout& operator=(const BpeDropout&) = delete;

    bool needs_spans() const override { return true; }
    std::unique_ptr<Scratch> make_scratch() const override;
    void split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
               IdArray* parents) const override;

   private:
    struct State;
    class Lease;

    std::uint64_t n_draws(const TokenId* ids, std::size_t n, State& state) const;
    void redraw(const TokenId* ids, std::size_t n, std::uint64_t first_gap, State& state) const;
    void find_waiting_words(const TokenId* ids, State& state) const;
    std::size_t redraw_known(WordMerges* word, std::uint64_t first_gap, State& state, TokenId* out) const;
    void load(const TokenId* ids, std::size_t n, DropoutWord& word) const;

    std::shared_ptr<const MergeRelation> merges_;
    double p_;
    DropoutLaw law_;
    bool remembers_;
    bool draws_once_a_merge_;
    ReplayKernel replay_;
    Gaps gaps_;
    mutable std::mutex idle_lock_;  // never waited for: in a forked process the thread that holds it may not exist
    mutable std::vector<std::unique_ptr<State>> idle_;  // as many as calls ran at once
};

}  // namespace fissile
