#include "train/merge_sequences.hpp"

#include <algorithm>
#include <string>

namespace fissile {

MergeSequences::MergeSequences(std::uint64_t n_sequences, std::uint64_t n_tokens)
    : capacity_(static_cast<std::size_t>(std::min(n_sequences + n_tokens + 1, kMaxSlots))) {
    memory_ = HugeBuffer((capacity_ + 1) * sizeof(std::uint32_t));  // length() reads one slot past the last edge
    slots_ = static_cast<std::uint32_t*>(memory_.data());
    slots_[n_slots_++] = kEdge;
}

void MergeSequences::fail_full() {
    throw Error("the distinct sequences hold more than " + std::to_string(kMaxSlots) +
                " tokens, which is what 32-bit positions reach: train on a sample");
}

void MergeSequences::finish() {
    const std::size_t n_blocks = (n_slots_ >> kBlockBits) + 1;
    first_weight_.assign(n_blocks, 0);
    std::size_t i = 0;
    for (std::size_t block = 0; block < n_blocks; ++block) {
        while (i + 1 < weights_.size() && weights_[i + 1].begin <= block << kBlockBits) ++i;
        first_weight_[block] = static_cast<std::uint32_t>(i);
    }
}

void MergeSequences::compact() {
    std::size_t to = 1;
    std::vector<Weighted> kept;
    for (std::size_t w = 0; w < weights_.size(); ++w) {
        const std::size_t end = w + 1 < weights_.size() ? weights_[w + 1].begin : n_slots_;
        const std::size_t begin_to = to;
        std::size_t sequence = to;  // where the sequence being copied begins
        for (std::size_t p = weights_[w].begin; p < end;) {
            if (slots_[p] == kEdge) {
                if (to - sequence < 2) {
                    to = sequence;
                } else {
                    slots_[to++] = kEdge;
                }
                sequence = to;
                ++p;
                continue;
            }
            const std::uint32_t n = length(static_cast<std::uint32_t>(p));
            slots_[to++] = slots_[p];
            p += n;
        }
        if (to > begin_to) kept.push_back({static_cast<std::uint32_t>(begin_to), weights_[w].weight});
    }
    n_slots_ = to;
    weights_ = std::move(kept);
    finish();
}

}  // namespace fissile
