#include "train/merge_loop.hpp"

#include <algorithm>
#include <cmath>

#include "cpu/prefetch.hpp"

namespace fissile {

namespace {

constexpr std::uint32_t kAhead = 12;  // positions looked ahead for, while memory answers
constexpr std::uint32_t kCheckEvery = 1 << 14;
// The first epoch is for pairs more frequent than one in so many neighbours: some thousand merges of real text.
constexpr std::uint64_t kFirstShare = 8192;
constexpr std::uint64_t kMinSlotsForEpochs = 1 << 16;  // a smaller corpus is indexed whole at once

}  // namespace

MergeLoop::MergeLoop(MergeSequences sequences, const std::vector<std::string>& tokens, const TrainOptions& options,
                     Interrupt& interrupt, TrainProgress& progress)
    : sequences_(std::move(sequences)),
      options_(options),
      interrupt_(interrupt),
      progress_(progress),
      shapes_(options.rules),
      crew_(options.n_threads),
      parts_(options.n_threads) {
    const std::uint64_t n_ids = std::max<std::uint64_t>(options.vocab_size, tokens.size());
    token_index_.reserve(n_ids, n_ids + 1);
    const auto bytes_of = [this](TokenId id) { return token(id); };
    for (const std::string& text : tokens) {
        token_data_.insert(token_data_.end(), text.begin(), text.end());
        token_ends_.push_back(token_data_.size());
        shapes_.add(as_bytes(text), text.size() == 1);
        if (!text.empty()) token_index_.insert(static_cast<TokenId>(token_ends_.size() - 1), bytes_of);
    }
    n_tokens_ = tokens.size();
    for (Part& part : parts_) {
        part.left.of.resize(n_ids);
        part.right.of.resize(n_ids);
    }
}

TokenId MergeLoop::token_of(TokenId left, TokenId right, bool& is_new) {
    const auto bytes_of = [this](TokenId id) { return token(id); };
    const std::size_t begin = token_data_.size();
    for (const TokenId part : {left, right}) {
        const std::size_t size = bytes_of(part).size();
        token_data_.resize(token_data_.size() + size);
        const Bytes bytes = bytes_of(part);  // looked up again: the array may have moved
        std::copy(bytes.begin(), bytes.end(), token_data_.end() - static_cast<std::ptrdiff_t>(size));
    }
    token_ends_.push_back(token_data_.size());
    const auto id = static_cast<TokenId>(token_ends_.size() - 1);
    const TokenId known = token_index_.insert(id, bytes_of);
    is_new = known == id;
    if (is_new) {
        shapes_.add_joined(left, right);
        ++n_tokens_;
    } else {
        token_ends_.pop_back();
        token_data_.resize(begin);
    }
    return known;
}

std::vector<std::string> MergeLoop::tokens_from(TokenId first) const {
    std::vector<std::string> tokens;
    for (TokenId id = first; id < token_ends_.size(); ++id) tokens.emplace_back(as_chars(token(id)));
    return tokens;
}

// Counts fall with rank as a power of it, roughly. From where the last epoch began and ended, half of what the last
// merge is expected to occur; the first epoch knows nothing yet. A bad guess costs time and nothing else.
std::uint64_t MergeLoop::next_threshold() const {
    const std::uint64_t floor = least_threshold();
    const std::size_t n = result_.counts.size();
    if (result_.epochs.empty() && options_.first_threshold != 0) return std::max(floor, options_.first_threshold);
    if (options_.first_threshold == 0 && sequences_.n_slots() < kMinSlotsForEpochs) return floor;
    if (result_.epochs.empty()) return std::max(floor, total_weight_ / kFirstShare);
    const double now = static_cast<double>(pairs_.threshold());
    double guess = now / 16;
    if (n >= 64) {
        const double slope = std::log(static_cast<double>(result_.counts[n / 4]) / now) / std::log(4.0);
        const double still = static_cast<double>(options_.vocab_size - n_tokens_ + n) / static_cast<double>(n);
        guess = now * std::pow(still, -slope) / 2;
    }
    guess = std::clamp(guess, now / 4096, now / 2);
    return std::max(floor, static_cast<std::uint64_t>(guess));
}

void MergeLoop::begin_epoch() {
    if (!result_.epochs.empty()) sequences_.compact();
    const std::uint64_t threshold = next_threshold();
    const auto n_shares =
        static_cast<unsigned>(std::clamp<std::size_t>(sequences_.n_slots() / options_.thread_share, 1, parts_.size()));
    // What the epochs before have shown is a better guess than a lower one from the pairs that there are now: merging
    // makes many more of the pairs that it needs.
    const std::uint64_t least = result_.epochs.empty() ? least_threshold() : threshold;
    pairs_.build({sequences_, shapes_, token_ends_.size(), crew_, n_shares, interrupt_}, threshold, least,
                 options_.vocab_size - n_tokens_);
    result_.epochs.push_back({pairs_.threshold(), sequences_.n_slots(), result_.merges.size()});
}

TrainResult MergeLoop::run() {
    progress_ = {"train", n_tokens_, options_.vocab_size};
    for (std::size_t w = 0; w < sequences_.weights().size(); ++w) {
        const auto& weights = sequences_.weights();
        const std::size_t end = w + 1 < weights.size() ? weights[w + 1].begin : sequences_.n_slots();
        total_weight_ += weights[w].weight * (end - weights[w].begin);
    }
    if (n_tokens_ < options_.vocab_size) begin_epoch();
    PairIndex::Best best;
    while (n_tokens_ < options_.vocab_size) {
        interrupt_.check_now();
        if (!pairs_.take_best(best)) {
            if (pairs_.threshold() <= least_threshold()) break;
            begin_epoch();
            continue;
        }
        const TokenId left = left_of(best.key), right = right_of(best.key);
        bool is_new;
        const TokenId made = token_of(left, right, is_new);
        result_.merges.push_back({left, right, made});
        result_.counts.push_back(best.count);
        divide(best.positions, left, right);
        const auto each_part = [this](const auto& work) {
            if (n_parts_ == 1) {
                work(parts_[0]);
            } else {
                crew_.run([&](unsigned part) {
                    if (part < n_parts_) work(parts_[part]);
                });
            }
        };
        each_part([&](Part& part) { join(part, left, right, made); });
        result_.joined.push_back(0);
        for (std::size_t i = 0; i < n_parts_; ++i) {
            result_.n_joins += parts_[i].n_positions;
            result_.joined.back() += parts_[i].weight;
        }
        decrease_old(left, right);
        if (!is_new) {
            clear_sums();
            recount(made);
        } else if (insert_new(made)) {
            each_part([&](Part& part) { write_positions(part, made); });
        }
        clear_sums();
        progress_.done = n_tokens_;
    }
    return std::move(result_);
}

// Shares of a list for the threads. A cut is made only where two occurrences do not touch, so that no thread reads what
// another writes.
void MergeLoop::divide(PositionList list, TokenId left, TokenId right) {
    std::uint32_t begin = 0;
    n_parts_ = 0;
    const std::uint32_t* const slots = sequences_.slots();
    const auto wanted = std::clamp<std::size_t>(list.size / options_.thread_share, 1, parts_.size());
    for (std::size_t i = 0; i < wanted; ++i) {
        auto end = static_cast<std::uint32_t>(std::uint64_t{list.size} * (i + 1) / wanted);
        for (end = std::max(end, begin); end > begin && end < list.size; ++end) {
            const std::uint32_t p = list.data[end - 1];
            if (slots[p] != left) continue;  // out of date; what is next to it may still touch the one before
            const std::uint32_t q = p + sequences_.length(p);
            if (slots[q] != right) continue;
            if (list.data[end] > q + sequences_.length(q)) break;
        }
        Part& part = parts_[n_parts_++];
        part.positions = list.data + begin;
        part.n_positions = end - begin;
        begin = end;
    }
}

// Joins the occurrences of a share, and keeps their positions in place of the share.
void MergeLoop::join(Part& part, TokenId left, TokenId right, TokenId made) {
    std::uint32_t* const slots = sequences_.slots();
    MergeSequences::Cursor weights(sequences_);
    std::uint32_t* to = part.positions;
    const std::uint32_t* const end = part.positions + part.n_positions;
    std::uint32_t last_end = 0;  // of the token made last
    part.both = {};
    part.weight = 0;
    std::uint32_t until_check = kCheckEvery;
    for (const std::uint32_t* from = part.positions; from < end; ++from) {
        if (from + kAhead < end) prefetch(slots + from[kAhead]);
        if (--until_check == 0) {
            until_check = kCheckEvery;
            interrupt_.check_now();
        }
        const std::uint32_t p = *from;
        if (slots[p] != left) continue;
        const std::uint32_t q = p + sequences_.length(p);
        if (slots[q] != right) continue;
        const std::uint32_t next = q + sequences_.length(q);
        const std::uint64_t weight = weights.weight_at(p);
        part.weight += weight;
        if (p == last_end) {
            // What the occurrence before took for its right neighbour has become the same token as itself.
            part.right.take_back(left, weight);
            part.both.weight += weight;
            ++part.both.n;
        } else if (slots[p - 1] != MergeSequences::kEdge) {
            part.left.add(slots[sequences_.start_before(p)], weight);
        }
        if (slots[next] != MergeSequences::kEdge) part.right.add(slots[next], weight);
        sequences_.join(p, q, next, made);
        last_end = next;
        *to++ = p;
    }
    part.n_positions = static_cast<std::uint32_t>(to - part.positions);
}

// As join, for occurrences of a token that are there already.
void MergeLoop::sum_neighbours(Part& part, TokenId made) {
    const std::uint32_t* const slots = sequences_.slots();
    MergeSequences::Cursor weights(sequences_);
    part.both = {};
    for (std::uint32_t i = 0; i < part.n_positions; ++i) {
        if (i % kCheckEvery == 0) interrupt_.check_now();
        const std::uint32_t p = part.positions[i];
        const std::uint64_t weight = weights.weight_at(p);
        if (slots[p - 1] != MergeSequences::kEdge) {
            const TokenId before = slots[sequences_.start_before(p)];
            if (before == made) {
                part.both.weight += weight;
                ++part.both.n;
            } else {
                part.left.add(before, weight);
            }
        }
        const TokenId after = slots[p + sequences_.length(p)];
        if (after != MergeSequences::kEdge && after != made) part.right.add(after, weight);
    }
}

void MergeLoop::decrease_old(TokenId left, TokenId right) {
    const auto decrease = [this](const Sums& sums, const auto& pair_of) {
        for (std::size_t i = 0; i < sums.ids.size(); ++i) {
            if (i + kAhead < sums.ids.size()) pairs_.ask(pair_of(sums.ids[i + kAhead]));
            const TokenId id = sums.ids[i];
            if (sums.of[id].n != 0) pairs_.decrease(pair_of(id), sums.of[id].weight);
        }
    };
    for (std::size_t i = 0; i < n_parts_; ++i) {
        Part& part = parts_[i];
        decrease(part.left, [left](TokenId id) { return pair_key(id, left); });
        decrease(part.right, [right](TokenId id) { return pair_key(right, id); });
        if (part.both.n != 0) pairs_.decrease(pair_key(right, left), part.both.weight);
    }
}

// Indexes the pairs that the new token is in and that are frequent enough; whether there are any.
bool MergeLoop::insert_new(TokenId made) {
    bool any = false;
    const auto insert = [&](TokenId left, TokenId right, const auto& sum_in) {
        std::uint64_t weight = 0;
        std::uint32_t n = 0;
        for (std::size_t i = 0; i < n_parts_; ++i) {
            const Sum& sum = sum_in(parts_[i]);
            weight += sum.weight;
            n += sum.n;
        }
        if (weight < pairs_.threshold() || !shapes_.allows(left, right)) return;
        std::uint32_t* out = pairs_.insert(pair_key(left, right), weight, n);
        for (std::size_t i = 0; i < n_parts_; ++i) {
            Sum& sum = sum_in(parts_[i]);
            if (sum.n == 0) continue;
            sum.out = out;
            out += sum.n;
        }
        any = true;
    };
    // A neighbour may be known to several threads: the first that has it inserts the pair.
    const auto is_first = [&](std::size_t i, TokenId id, Sums Part::*side) {
        for (std::size_t j = 0; j < i; ++j) {
            if ((parts_[j].*side).of[id].n != 0) return false;
        }
        return true;
    };
    for (std::size_t i = 0; i < n_parts_; ++i) {
        for (const TokenId id : parts_[i].left.ids) {
            Sum& own = parts_[i].left.of[id];
            if (own.n == 0 || own.out != nullptr || !is_first(i, id, &Part::left)) continue;
            insert(id, made, [id](Part& part) -> Sum& { return part.left.of[id]; });
        }
        for (const TokenId id : parts_[i].right.ids) {
            Sum& own = parts_[i].right.of[id];
            if (own.n == 0 || own.out != nullptr || !is_first(i, id, &Part::right)) continue;
            insert(made, id, [id](Part& part) -> Sum& { return part.right.of[id]; });
        }
    }
    for (std::size_t i = 0; i < n_parts_; ++i) {
        if (parts_[i].both.n == 0) continue;
        insert(made, made, [](Part& part) -> Sum& { return part.both; });
        break;
    }
    return any;
}

void MergeLoop::write_positions(Part& part, TokenId made) {
    const std::uint32_t* const slots = sequences_.slots();
    for (std::uint32_t i = 0; i < part.n_positions; ++i) {
        if (i + kAhead < part.n_positions) prefetch(slots + part.positions[i + kAhead]);
        if (i % kCheckEvery == 0) interrupt_.check_now();
        const std::uint32_t p = part.positions[i];
        if (slots[p - 1] != MergeSequences::kEdge) {
            const std::uint32_t before = sequences_.start_before(p);
            Sum& sum = slots[before] == made ? part.both : part.left.of[slots[before]];
            if (sum.out != nullptr) *sum.out++ = before;
        }
        const TokenId after = slots[p + sequences_.length(p)];
        if (after == MergeSequences::kEdge || after == made) continue;
        Sum& sum = part.right.of[after];
        if (sum.out != nullptr) *sum.out++ = p;
    }
}

// A merge made a token that there was already, so pairs of it have become more frequent: they are counted anew.
void MergeLoop::recount(TokenId made) {
    pairs_.forget_token(made);
    const std::uint32_t* const slots = sequences_.slots();
    const std::size_t n_slots = sequences_.n_slots();
    std::uint32_t n = 0;
    for (std::size_t p = 0; p < n_slots; ++p) n += slots[p] == made;
    if (n == 0) return;
    std::vector<std::uint32_t> positions;
    positions.reserve(n);
    for (std::size_t p = 0; p < n_slots; ++p) {
        if (slots[p] == made) positions.push_back(static_cast<std::uint32_t>(p));
    }
    n_parts_ = 1;
    parts_[0].positions = positions.data();
    parts_[0].n_positions = n;
    sum_neighbours(parts_[0], made);
    if (insert_new(made)) write_positions(parts_[0], made);
}

void MergeLoop::clear_sums() {
    for (Part& part : parts_) {
        for (Sums* const sums : {&part.left, &part.right}) {
            for (const TokenId id : sums->ids) sums->of[id] = {};
            sums->ids.clear();
        }
        part.both = {};
    }
}

}  // namespace fissile
