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

// What decoding drops in front of a text, where encoding had put a space.
enum class LeadingSpace : std::uint8_t {
    kKeep,
    kDropOne,           // one space, if the text begins with it
    kDropInFirstToken,  // every space of the first token, as the Metaspace decoder of `tokenizers` does
};

class Decoder {
   public:
    explicit Decoder(std::shared_ptr<const Vocabulary> vocabulary, LeadingSpace leading = LeadingSpace::kKeep);

    const Vocabulary& vocabulary() const { return *vocabulary_; }

    // Puts the bytes of ids[0, n) into `out`. Throws UnknownId.
    void decode(const TokenId* ids, std::size_t n, bool skip_special, std::vector<std::uint8_t>& out) const;

   private:
    struct alignas(16) Slot {
        std::uint8_t bytes[15];
        std::uint8_t size;
    };
    // Sizes of slots whose token is not in them.
    static constexpr std::uint8_t kLong = 254, kUnused = 255;

    void drop_leading(const TokenId* ids, std::size_t n, bool skip_special, std::vector<std::uint8_t>& out) const;

    std::shared_ptr<const Vocabulary> vocabulary_;
    LeadingSpace leading_;
    std::vector<Slot> slots_;
    bool has_special_ = false;
};

}  // namespace fissile
