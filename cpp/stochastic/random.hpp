// Random numbers that a document always gets, wherever and whenever it is split: those of a counter-based generator
// (philox.hpp). No state is carried from document to document, so batches, threads and workers cannot change a draw.
//
// What is drawn is part of the interface: a change of anything in this file changes ids. docs/stochastic.md writes it
// down with test vectors; the plain definition is tests/reference/stochastic.py. Integers, and doubles of which only
// products and comparisons are taken, so that every machine agrees.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base.hpp"
#include "encode/splitter.hpp"
#include "stochastic/philox.hpp"

namespace fissile {

// A document has a stream of its own for each kind of question, so that one kind can be read ahead of another.
enum class RandomUse : std::uint32_t {
    kPositions = 0,   // StochasTok: where to try
    kChoices = 1,     // StochasTok: which split
    kDrops = 2,       // BPEDropout: survivors before the first drop of the next disturbed word
    kPieces = 3,      // UniformSplit: pieces left alone before the next one drawn anew
    kPaths = 4,       // UniformSplit: steps through the lattice
    kLaterDrops = 5,  // BPEDropout: survivors before the other drops of a disturbed word
};

// One stream of a document: the words of Philox blocks 0, 1, 2, ... in order.
//     key      seed (low word, high word)
//     counter  block number, document index (low word), document index (high 24 bits) | use << 24, epoch
class RandomWords {
   public:
    static constexpr std::size_t kMaxBuffered = 256;

    // About `n_expected` words are made at once; a wrong guess costs time and nothing else.
    RandomWords(const DocumentKey& key, RandomUse use, std::size_t n_expected = 16) noexcept
        : key0_(static_cast<std::uint32_t>(key.seed)),
          key1_(static_cast<std::uint32_t>(key.seed >> 32)),
          index_low_(static_cast<std::uint32_t>(key.index)),
          index_high_(static_cast<std::uint32_t>(key.index >> 32) | static_cast<std::uint32_t>(use) << 24),
          epoch_(key.epoch),
          n_expected_(n_expected) {}

    std::uint32_t next() {
        if (at_ == end_) refill();
        return words_[at_++];
    }
    // Two words, the first in the lower half.
    std::uint64_t next64() {
        const std::uint64_t low = next();
        return low | std::uint64_t{next()} << 32;
    }
    // From [0, 1): the upper 53 bits of next64.
    double next_unit() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

    // From [0, bound), exactly uniform; bound > 0. Lemire, "Fast random integer generation in an interval" (2019).
    std::uint32_t below(std::uint32_t bound) {
        std::uint64_t product = std::uint64_t{next()} * bound;
        if (static_cast<std::uint32_t>(product) < bound) [[unlikely]] {
            const std::uint32_t threshold = (0u - bound) % bound;
            while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next()} * bound;
        }
        return static_cast<std::uint32_t>(product >> 32);
    }

    // The same; with bound 0, 0 and nothing is drawn.
    std::uint32_t below_or_nothing(std::uint32_t bound) { return bound == 0 ? 0 : below(bound); }

    // Some of the words that will be drawn next, at least one.
    std::span<const std::uint32_t> ahead() {
        if (at_ == end_) refill();
        return {words_.data() + at_, end_ - at_};
    }
    // They have been drawn, from what ahead() gave.
    void drop(std::size_t n) { at_ += n; }

   private:
    void refill() {
        static const PhiloxKernel make_blocks = philox_kernel_for(chosen_isa());
        constexpr std::size_t kWordsAtOnce = 4 * kPhiloxLanes;
        static_assert(kMaxBuffered % kWordsAtOnce == 0);
        const std::size_t n_words = std::clamp<std::size_t>(
            (n_expected_ + kWordsAtOnce - 1) / kWordsAtOnce * kWordsAtOnce, kWordsAtOnce, kMaxBuffered);
        n_expected_ = kMaxBuffered;  // a guess that was too low is not made twice
        if (block_ + n_words / 4 > std::uint64_t{1} << 32) throw Error("a document needs more than 2^34 random words");
        make_blocks({static_cast<std::uint32_t>(block_), index_low_, index_high_, epoch_}, key0_, key1_, words_.data(),
                    n_words / 4);
        block_ += n_words / 4;
        at_ = 0;
        end_ = n_words;
    }

    std::uint32_t key0_, key1_, index_low_, index_high_, epoch_;
    std::size_t n_expected_;
    std::uint64_t block_ = 0;
    std::size_t at_ = 0, end_ = 0;
    std::array<std::uint32_t, kMaxBuffered> words_;
};

// How many of a row of independent yes-or-no draws say no before the first yes, each saying yes with probability p:
// geometric, so that many draws cost one. q^k stands in a table of products; beyond its end the wait begins anew, as a
// geometric law has no memory.
class Gaps {
   public:
    static constexpr std::uint64_t kNever = ~std::uint64_t{0} >> 1;
    // A draw tells of so many at most.
    static constexpr std::size_t kSteps = 64;

    explicit Gaps(double p) noexcept {
        const double q = 1.0 - p;
        double power = 1.0;
        for (std::size_t k = 0; k < kSteps; ++k)
            no_more_[k] = static_cast<std::uint64_t>(std::ceil((power *= q) * 0x1p53));
        no_more_[kSteps] = 0;
        never_ = q == 1.0;
        // first_[b]: of all u that begin with the bits b, the largest has at least so many draws before it.
        for (std::size_t b = 0; b < first_.size(); ++b) {
            std::size_t k = 0;
            while ((b + 1) << kBitsBehind <= no_more_[k]) ++k;
            first_[b] = static_cast<std::uint8_t>(k);
        }
    }

    bool never() const { return never_; }
    // Of one draw; kSteps: so many, and the wait begins anew.
    std::size_t of(std::uint64_t word) const {
        const std::uint64_t u = word >> 11;
        std::size_t k = first_[u >> kBitsBehind];
        k += u < no_more_[k];  // mostly all there is to do, and not to be predicted
        while (u < no_more_[k]) ++k;
        return k;
    }

   private:
    static constexpr unsigned kBitsBehind = 45;
    // [k]: q^(k + 1), the chance that k + 1 draws and more say no, in units of 2^-53, as u is: the smallest of them
    // that is no less. Then 0.
    std::array<std::uint64_t, kSteps + 1> no_more_;
    std::array<std::uint8_t, 256> first_;
    bool never_;
};

// The gaps of one stream, some of them worked out together, so that nothing waits for one.
class GapStream {
   public:
    GapStream(const Gaps& gaps, const DocumentKey& key, RandomUse use) noexcept : gaps_(gaps), words_(key, use) {}

    std::uint64_t next() {
        for (std::uint64_t passed = 0;; passed += Gaps::kSteps) {
            if (at_ == end_) refill();
            const std::uint8_t gap = ready_[at_++];
            if (gap < Gaps::kSteps) [[likely]]
                return passed + gap;
            if (gap == kNever) return Gaps::kNever;
        }
    }

   private:
    static constexpr std::size_t kAtOnce = 16;
    static constexpr std::uint8_t kNever = 255;

    void refill() {
        at_ = 0;
        if (gaps_.never()) {
            ready_[0] = kNever;
            end_ = 1;
            return;
        }
        const std::span<const std::uint32_t> words = words_.ahead();  // an even number of them
        end_ = std::min(words.size() / 2, kAtOnce);
        for (std::size_t i = 0; i < end_; ++i) {
            ready_[i] = static_cast<std::uint8_t>(gaps_.of(words[2 * i] | std::uint64_t{words[2 * i + 1]} << 32));
        }
        words_.drop(2 * end_);
    }

    const Gaps& gaps_;
    RandomWords words_;
    std::size_t at_ = 0, end_ = 0;
    std::array<std::uint8_t, kAtOnce> ready_;
};

}  // namespace fissile
