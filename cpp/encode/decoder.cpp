#include "encode/decoder.hpp"

#include <algorithm>
#include <cstring>

namespace fissile {

UnknownId::UnknownId(std::size_t position, std::uint64_t id)
    : Error("ids[" + std::to_string(position) + "] is " + std::to_string(id) + ", which is no token's id") {}

Decoder::Decoder(std::shared_ptr<const Vocabulary> vocabulary, LeadingSpace leading,
                 std::unordered_map<TokenId, std::string> texts)
    : vocabulary_(std::move(vocabulary)), leading_(leading), texts_(std::move(texts)), slots_(vocabulary_->n_vocab()) {
    for (TokenId id = 0; id < slots_.size(); ++id) {
        Slot& slot = slots_[id];
        const Bytes token = text_of(id);
        if (!vocabulary_->has_token(id)) {
            slot.size = kUnused;
        } else if (token.size() > sizeof slot.bytes) {
            slot.size = kLong;
        } else {
            std::copy(token.begin(), token.end(), slot.bytes);
            slot.size = static_cast<std::uint8_t>(token.size());
        }
        has_special_ |= vocabulary_->is_special(id);
    }
}

Bytes Decoder::text_of(TokenId id) const {
    if (texts_.empty()) return vocabulary_->token_bytes(id);
    const auto found = texts_.find(id);
    return found == texts_.end() ? vocabulary_->token_bytes(id) : as_bytes(found->second);
}

void Decoder::decode(const TokenId* ids, std::size_t n, bool skip_special, RawVector<std::uint8_t>& out) const {
    constexpr std::size_t kBlock = 1024;
    const std::size_t n_slots = slots_.size();
    const bool look_for_special = skip_special && has_special_;
    std::size_t size = 0;
    // Room for the usual text at once; what is short of it grows below.
    constexpr std::size_t kUsualTokenBytes = 5;
    out.resize(std::max(out.size(), n * kUsualTokenBytes + std::min(n, kBlock) * sizeof(Slot)));
    for (std::size_t begin = 0; begin < n; begin += kBlock) {
        const std::size_t end = std::min(n, begin + kBlock);
        const std::size_t needed = size + (end - begin) * sizeof(Slot);
        if (out.size() < needed) out.resize(needed + needed / 2);
        std::uint8_t* to = out.data() + size;
        for (std::size_t i = begin; i < end; ++i) {
            const TokenId id = ids[i];
            if (id < n_slots && slots_[id].size <= sizeof(Slot::bytes) &&
                !(look_for_special && vocabulary_->is_special(id))) [[likely]] {
                std::memcpy(to, &slots_[id], sizeof(Slot));
                to += slots_[id].size;
                continue;
            }
            if (id >= n_slots || slots_[id].size == kUnused) {
                throw UnknownId(i, id);
            }
            if (look_for_special && vocabulary_->is_special(id)) continue;
            // A long token: make room for it beside what the rest of the block may need.
            const Bytes token = text_of(id);
            const auto at = static_cast<std::size_t>(to - out.data());
            const std::size_t needed_now = at + token.size() + (end - i) * sizeof(Slot);
            if (out.size() < needed_now) out.resize(needed_now + needed_now / 2);
            to = out.data() + at;
            std::memcpy(to, token.data(), token.size());
            to += token.size();
        }
        size = static_cast<std::size_t>(to - out.data());
    }
    out.resize(size);
    if (leading_ != LeadingSpace::kKeep) drop_leading(ids, n, skip_special, out);
}

void Decoder::drop_leading(const TokenId* ids, std::size_t n, bool skip_special, RawVector<std::uint8_t>& out) const {
    if (leading_ == LeadingSpace::kDropOne) {
        if (!out.empty() && out[0] == ' ') out.erase(out.begin());
        return;
    }
    if (leading_ != LeadingSpace::kDropInFirstToken) {
        std::ptrdiff_t n_dropped = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const Bytes token = text_of(ids[i]);
            if (token.empty() || (skip_special && vocabulary_->is_special(ids[i]))) continue;
            if (token[0] != ' ' || vocabulary_->is_fallback(ids[i]) || texts_.contains(ids[i])) break;
            ++n_dropped;
            if (leading_ == LeadingSpace::kDropInFirstPiece || token.size() > 1) break;
        }
        out.erase(out.begin(), out.begin() + n_dropped);
        return;
    }
    const TokenId* const first =
        std::find_if(ids, ids + n, [&](TokenId id) { return !skip_special || !vocabulary_->is_special(id); });
    if (first == ids + n) return;
    const auto end = out.begin() + static_cast<std::ptrdiff_t>(text_of(*first).size());
    out.erase(std::remove(out.begin(), end, std::uint8_t{' '}), end);
}

}  // namespace fissile
