// Ids -> bytes.
//
// A slot of 16 bytes a token holds up to 15 bytes and their number; decoding copies all 16 and advances by the number,
// so ordinary tokens cost one load and one store and no branch on their length. Longer tokens are copied from the
// vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base.hpp"
#include "cpu/raw_vector.hpp"
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
    // As SentencePiece does, not of bytes that fell back:
    kDropInFirstPiece,  // one space that the first piece with text begins with
    kDropInEmptyText,   // one of each piece, as long as there is no text
};

class Decoder {
   public:
    // `texts`: what some tokens decode to, in place of their bytes.
    explicit Decoder(std::shared_ptr<const Vocabulary> vocabulary, LeadingSpace leading = LeadingSpace::kKeep,
                     std::unordered_map<TokenId, std::string> texts = {});

    const Vocabulary& vocabulary() const { return *vocabulary_; }

    // Whether decode looks at ids a second time: then they must not change meanwhile.
    bool reads_ids_twice() const { return leading_ != LeadingSpace::kKeep && leading_ != LeadingSpace::kDropOne; }

    // Puts the bytes of ids[0, n) into `out`, whose room is used if it has some. Throws UnknownId.
    void decode(const TokenId* ids, std::size_t n, bool skip_special, RawVector<std::uint8_t>& out) const;

   private:
    struct alignas(16) Slot {
        std::uint8_t bytes[15];
        std::uint8_t size;
    };
    // Sizes of slots whose token is not in them.
    static constexpr std::uint8_t kLong = 254, kUnused = 255;

    Bytes text_of(TokenId id) const;
    void drop_leading(const TokenId* ids, std::size_t n, bool skip_special, RawVector<std::uint8_t>& out) const;

    std::shared_ptr<const Vocabulary> vocabulary_;
    LeadingSpace leading_;
    std::unordered_map<TokenId, std::string> texts_;
    std::vector<Slot> slots_;
    bool has_special_ = false;
};

}  // namespace fissile
