// What superwords of whole words can be made of: maximal runs of neighbouring pretokens that are one token each and
// hold a letter, counted.
//
// A superword joins neighbours of such a run and nothing else, so equal runs are the same work: real text has many
// fewer distinct runs than words, and a corpus becomes a list of weighted sequences as it does for ordinary training
// (the method of arXiv 2604.05192). A run is over where a pretoken is more than one token, or has no letter.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "pretokenize/pretokenizer.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

// Runs of at least two tokens, one after another.
struct TokenRuns {
    std::vector<TokenId> ids;
    std::vector<std::uint64_t> ends;
    std::vector<std::uint64_t> counts;
};

class RunCounter {
   public:
    // `by_line`: no run, nor pretoken, crosses the end of a line.
    RunCounter(std::shared_ptr<const Vocabulary> vocabulary, Pattern pattern, bool by_line, unsigned n_threads);

    // Counts the runs of some documents, each `weight` times. `n_read` grows by the bytes that have been read.
    void add(const std::vector<Bytes>& documents, std::uint64_t weight, Interrupt& interrupt,
             std::atomic<std::uint64_t>& n_read);

    // All runs so far; the counter begins anew.
    TokenRuns take();

   private:
    // Runs by their ids: open addressing over places in `runs`.
    struct Table {
        TokenRuns runs;
        std::vector<std::uint32_t> tags;
        std::vector<std::uint32_t> slots;  // place + 1; 0: empty
        std::vector<TokenId> run;          // that is being read
        std::vector<std::uint32_t> span_ends;

        void count(const TokenId* ids, std::size_t n, std::uint64_t weight);
        void grow();
    };

    void read(Bytes text, std::uint64_t weight, Table& table, Interrupt& interrupt,
              std::atomic<std::uint64_t>& n_read) const;

    std::shared_ptr<const Vocabulary> vocabulary_;
    ScanFunction scan_;
    bool by_line_;
    std::vector<bool> is_word_;  // tokens that a run may hold
    std::vector<Table> tables_;  // one a thread
};

}  // namespace fissile
