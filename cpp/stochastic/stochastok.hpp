// StochasTok (Sims et al., "StochasTok: improving fine-grained subword understanding in LLMs", arXiv 2506.01687):
//
//     m = floor(n * p) times, or until `max_expansions` tokens were split:
//         i = uniform place in the sequence as it is now
//         if the token there has splits: put a uniformly chosen one in its place; else the try is spent
//
// A try depends on the multiset of tokens only, so order can wait until the end. Tokens lie in a pool: a split
// overwrites a slot with the left half, appends the right half, and notes the slot; at the end all are put in order
// (piece_order.hpp). O(n + m). Plain definition: tests/reference/stochastic.py.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "encode/splitter.hpp"
#include "stochastic/piece_order.hpp"
#include "stochastic/split_table.hpp"

namespace fissile {

class StochasTok final : public Splitter {
   public:
    static constexpr std::uint64_t kNoCap = std::numeric_limits<std::uint64_t>::max();
    // `out` needs room for so many more.
    static constexpr std::size_t kSpare = PieceOrder::kSpare + 1;

    // p from 0 to 1. Tokens in `deny` are not split.
    StochasTok(std::shared_ptr<const SplitTable> table, double p, std::uint64_t max_expansions,
               const std::vector<TokenId>& deny);

    bool needs_spans() const override { return false; }
    std::unique_ptr<Scratch> make_scratch() const override;
    void split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
               IdArray* parents) const override;

    // The same with a p of the document's own.
    void split(const SpannedIds& document, double p, const DocumentKey& key, Scratch& scratch, IdArray& out,
               IdArray* parents) const;

    std::size_t n_vocab() const { return table_->n_vocab(); }
    // Most ids that a document of n comes out with.
    std::size_t max_ids(std::size_t n, double p) const;

   private:
    class Pool;

    std::shared_ptr<const SplitTable> table_;
    std::vector<std::uint8_t> own_few_pairs_;  // with a deny-list: none for its tokens
    const std::uint8_t* few_pairs_;
    double p_;
    std::uint64_t max_expansions_;
};

}  // namespace fissile
