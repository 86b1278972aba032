#include "stochastic/stochastok.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "cpu/prefetch.hpp"
#include "stochastic/random.hpp"

namespace fissile {

namespace {

constexpr std::uint32_t kEnd = 0xffffffffu;
// Places are 32 bits, and kEnd is none.
constexpr std::size_t kMaxDocument = 0xffffffffu - 1;
// Tries between two looks at the interrupt; their slots are prefetched together if the pool is larger than a cache.
constexpr std::uint64_t kTriesAtOnce = 64;
constexpr std::size_t kPrefetchFrom = std::size_t{1} << 17;

std::size_t n_tries(std::size_t n, double p) { return static_cast<std::size_t>(static_cast<double>(n) * p); }

}  // namespace

// The sequence while it is split. Slots below n_input are the input's places, in order.
class StochasTok::Pool final : public Splitter::Scratch {
   public:
    void start(const SpannedIds& document, std::size_t n_appended_at_most) {
        n_input = size = document.n_ids;
        pieces.clear();
        pieces.reserve_more(size + n_appended_at_most);
        ids = pieces.append_uninitialised(size + n_appended_at_most);
        std::memcpy(ids, document.ids, size * sizeof(TokenId));
        links.clear();
        links.reserve_more(size + n_appended_at_most);
        next = links.append_uninitialised(size + n_appended_at_most);
        touched.assign(size / 64 + 1, 0);
    }

    void split(std::uint32_t slot, SplitTable::Pair pair) {
        ids[slot] = pair.left;
        ids[size] = pair.right;
        // The link of a slot means nothing before its first split.
        std::uint32_t behind = kEnd;
        if (slot >= n_input) {
            behind = next[slot];
        } else {
            const std::uint64_t bit = std::uint64_t{1} << (slot & 63);
            if ((touched[slot >> 6] & bit) != 0) behind = next[slot];
            touched[slot >> 6] |= bit;
        }
        next[size] = behind;
        next[slot] = static_cast<std::uint32_t>(size);
        ++size;
    }

    // Writes the pieces in order: size ids, and as many parents unless that is null.
    void write(TokenId* out, TokenId* parents) const {
        std::size_t copied = 0;  // slots below are written
        const auto copy_to = [&](std::size_t end) {
            const std::size_t n = end - copied;
            for (std::size_t i = 0; i < n; ++i) out[i] = ids[copied + i];
            out += n;
            if (parents != nullptr) {
                for (std::size_t i = 0; i < n; ++i) *parents++ = static_cast<TokenId>(copied + i);
            }
            copied = end;
        };
        for (std::size_t word = 0; word < touched.size(); ++word) {
            for (std::uint64_t bits = touched[word]; bits != 0; bits &= bits - 1) {
                const std::size_t slot = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
                copy_to(slot);
                for (auto at = static_cast<std::uint32_t>(slot); at != kEnd; at = next[at]) {
                    *out++ = ids[at];
                    if (parents != nullptr) *parents++ = static_cast<TokenId>(slot);
                }
                copied = slot + 1;
            }
        }
        copy_to(n_input);
    }

    IdArray pieces, links;
    TokenId* ids = nullptr;
    std::uint32_t* next = nullptr;
    std::size_t n_input = 0, size = 0;
    std::vector<std::uint64_t> touched;  // a bit an input slot: split, so its link counts
};

StochasTok::StochasTok(std::shared_ptr<const SplitTable> table, double p, std::uint64_t max_expansions,
                       const std::vector<TokenId>& deny)
    : table_(std::move(table)), pairs_(table_->pairs().data()), p_(p), max_expansions_(max_expansions) {
    for (const TokenId id : deny) {
        if (id >= table_->n_vocab()) {
            throw Error("deny holds " + std::to_string(id) + ", outside the vocabulary of " +
                        std::to_string(table_->n_vocab()) + " ids");
        }
        if (own_ranges_.empty()) own_ranges_ = table_->ranges();
        own_ranges_[id].n = 0;
    }
    ranges_ = own_ranges_.empty() ? table_->ranges().data() : own_ranges_.data();
}

std::unique_ptr<Splitter::Scratch> StochasTok::make_scratch() const { return std::make_unique<Pool>(); }

std::size_t StochasTok::max_ids(std::size_t n, double p) const {
    return n + static_cast<std::size_t>(std::min<std::uint64_t>(n_tries(n, p), max_expansions_));
}

void StochasTok::split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
                       IdArray* parents) const {
    split(document, p_, key, scratch, out, parents);
}

void StochasTok::split(const SpannedIds& document, double p, const DocumentKey& key, Scratch& scratch, IdArray& out,
                       IdArray* parents) const {
    const std::size_t n = document.n_ids;
    const std::size_t most = max_ids(n, p);
    if (most > kMaxDocument) {
        throw Error("a document of " + std::to_string(n) +
                    " ids is too long to split: " + std::to_string(kMaxDocument) + " are the most that may come out");
    }
    if (most == n) {  // no tries
        out.append(document.ids, n);
        if (parents != nullptr) {
            parents->reserve_more(n);
            TokenId* const places = parents->append_uninitialised(n);
            std::iota(places, places + n, TokenId{0});
        }
        return;
    }
    Pool& pool = static_cast<Pool&>(scratch);
    pool.start(document, most - n);
    RandomWords positions(key, RandomUse::kPositions), choices(key, RandomUse::kChoices);
    for (std::uint64_t tries = n_tries(n, p); tries > 0 && pool.size < most;) {
        if (scratch.interrupt != nullptr) scratch.interrupt->check();
        const std::uint64_t n_now = std::min(tries, kTriesAtOnce);
        tries -= n_now;
        if (n >= kPrefetchFrom) {
            // Where the next tries will be, nearly: the sequence grows meanwhile, by less than a cache line's slots.
            const std::uint32_t* const words = positions.ahead();
            const std::size_t n_known = std::min<std::size_t>(positions.n_ahead(), n_now);
            for (std::size_t i = 0; i < n_known; ++i) {
                const std::size_t slot = (words[i] * std::uint64_t{pool.size}) >> 32;
                prefetch(pool.ids + slot);
                prefetch(pool.touched.data() + std::min(slot, n - 1) / 64);
            }
            for (std::size_t i = 0; i < n_known; ++i) {
                prefetch(ranges_ + pool.ids[(words[i] * std::uint64_t{pool.size}) >> 32]);
            }
        }
        for (std::uint64_t i = 0; i < n_now; ++i) {
            const std::uint32_t slot = positions.below(static_cast<std::uint32_t>(pool.size));
            const SplitTable::Range range = ranges_[pool.ids[slot]];
            if (range.n == 0) continue;
            pool.split(slot, pairs_[range.first + (range.n == 1 ? 0 : choices.below(range.n))]);
            if (pool.size == most) break;
        }
    }
    out.reserve_more(pool.size);
    TokenId* parent = nullptr;
    if (parents != nullptr) {
        parents->reserve_more(pool.size);
        parent = parents->append_uninitialised(pool.size);
    }
    pool.write(out.append_uninitialised(pool.size), parent);
}

}  // namespace fissile
