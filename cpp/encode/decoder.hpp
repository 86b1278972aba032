// Ids -> bytes.
//
// A slot of 16 bytes a token holds up to 15 bytes and their number; decoding copies all 16 and advances by the number,
// so ordinary tokens cost one load and one store and no branch on their length. Longer tokens are copied from the
// vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

// An id that no token has.
class UnknownId : public Error {
   public:
    UnknownId(std::size_t position, std::uint64_t id);
};

class Decoder {
   public:
    explicit Decoder(std::shared_ptr<const Vocabulary> vocabulary);

    const Vocabulary& vocabulary() const { return *vocabulary_; }

    // Appends the bytes of ids[0, n) to `out`. Throws UnknownId; `out` then holds what came before.
    void decode(const TokenId* ids, std::size_t n, bool skip_special, std::vector<std::uint8_t>& out) const;

   private:
    struct alignas(16) Slot {
        std::uint8_t bytes[15];
        std::uint8_t size;
    };
    // Sizes of slots whose token is not in them.
    static constexpr std::uint8_t kLong = 254, kUnused = 255;

    std::shared_ptr<const Vocabulary> vocabulary_;
    std::vector<Slot> slots_;
    bool has_special_ = false;
};

}  // namespace fissile
