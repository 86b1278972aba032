// BPE training: the most frequent pair of neighbours becomes a token, over and over.
//
// Of equally frequent pairs the smaller pair of ids goes first; ids are those of `tokenizers` (special tokens, the
// alphabet by its characters, then merges in order), so that the merges are those of its BpeTrainer. What a merge costs
// is the positions of its pair: each is read once, joined in place, and its neighbours are summed up by id, so the
// index of pairs is asked once a distinct neighbour. Long lists are divided among threads; sums do not depend on how.
// Plain definition: tests/reference/train.py.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "train/merge_crew.hpp"
#include "train/merge_rules.hpp"
#include "train/merge_sequences.hpp"
#include "train/pair_index.hpp"
#include "vocab/token_index.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

struct TrainOptions {
    std::uint64_t vocab_size = 0;     // tokens when training stops, those given at the start included
    std::uint64_t min_frequency = 0;  // pairs that occur less often are not merged
    MergeRules rules;
    unsigned n_threads = 1;
    // How the work is done, not what comes out; other values are for tests.
    std::uint64_t first_threshold = 0;  // of the first epoch; 0: by the size of the corpus
    std::uint32_t thread_share = 4096;  // positions of a pair that are worth waking a thread for
};

// What those who wait may be told; read and written by one thread.
struct TrainProgress {
    const char* phase = "";
    std::uint64_t done = 0, total = 0;
};

// One building of the pair index.
struct TrainEpoch {
    std::uint64_t threshold, n_slots, n_merges;  // as it began
};

struct TrainResult {
    std::vector<Merge> merges;          // ids in order of their making; a merge may make a token that there was already
    std::vector<std::uint64_t> counts;  // occurrences of each merge's pair when it was merged, overlapping ones too
    std::vector<std::uint64_t> joined;  // how many of them became one token
    std::vector<TrainEpoch> epochs;
    std::uint64_t n_joins = 0;  // neighbours joined in distinct sequences: the work
};

class MergeLoop {
   public:
    // `tokens` are those of ids 0 and up that the sequences are made of; an empty one takes an id and is never merged.
    MergeLoop(MergeSequences sequences, const std::vector<std::string>& tokens, const TrainOptions& options,
              Interrupt& interrupt, TrainProgress& progress);

    TrainResult run();
    // Bytes of the tokens from an id on.
    std::vector<std::string> tokens_from(TokenId first) const;
    // So far; the last merge may be without its entry in `joined`.
    const TrainResult& result() const { return result_; }

   private:
    // Occurrences beside one token.
    struct Sum {
        std::uint64_t weight = 0;
        std::uint32_t* out = nullptr;  // where positions of the pair that is born go
        std::uint32_t n = 0;
        bool listed = false;
    };
    // Sums by the neighbour's id, and the ids that have one.
    struct Sums {
        std::vector<Sum> of;
        std::vector<TokenId> ids;
        void add(TokenId id, std::uint64_t weight) {
            Sum& sum = of[id];
            if (!sum.listed) ids.push_back(id);
            sum.listed = true;
            sum.weight += weight;
            ++sum.n;
        }
        void take_back(TokenId id, std::uint64_t weight) {
            --of[id].n;
            of[id].weight -= weight;
        }
    };
    // A thread's share of one merge.
    struct Part {
        std::uint32_t* positions = nullptr;
        std::uint32_t n_positions = 0;
        std::uint64_t weight = 0;  // of the occurrences joined
        Sums left, right;
        Sum both;  // on both sides, the token just made
    };

    void begin_epoch();
    std::uint64_t next_threshold() const;
    std::uint64_t least_threshold() const { return std::max<std::uint64_t>(options_.min_frequency, 1); }
    Bytes token(TokenId id) const {
        const std::uint64_t begin = id == 0 ? 0 : token_ends_[id - 1];
        return {token_data_.data() + begin, static_cast<std::size_t>(token_ends_[id] - begin)};
    }
    TokenId token_of(TokenId left, TokenId right, bool& is_new);
    void divide(PositionList list, TokenId left, TokenId right);
    void join(Part& part, TokenId left, TokenId right, TokenId made);
    void sum_neighbours(Part& part, TokenId made);
    void decrease_old(TokenId left, TokenId right);
    bool insert_new(TokenId made);
    void write_positions(Part& part, TokenId made);
    void recount(TokenId made);
    void clear_sums();

    MergeSequences sequences_;
    TrainOptions options_;
    Interrupt& interrupt_;
    TrainProgress& progress_;
    PairIndex pairs_;
    TokenShapes shapes_;
    std::vector<std::uint8_t> token_data_;
    std::vector<std::uint64_t> token_ends_;
    TokenIndex token_index_;
    std::uint64_t n_tokens_ = 0;  // distinct
    MergeCrew crew_;
    std::vector<Part> parts_;
    std::size_t n_parts_ = 1;  // in use for the present merge
    std::uint64_t total_weight_ = 0;
    TrainResult result_;
};

}  // namespace fissile
