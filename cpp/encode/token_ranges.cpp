#include "encode/token_ranges.hpp"

#include <algorithm>

#include "text/utf8.hpp"

namespace fissile {

namespace {

constexpr std::size_t kNoMatch = static_cast<std::size_t>(-1);

// End of `token` in text from `at` on, or kNoMatch. With `metaspace`, a space of the token may be U+2581 in the text.
std::size_t match_end(Bytes text, std::size_t at, Bytes token, bool metaspace) {
    for (const std::uint8_t byte : token) {
        if (at < text.size() && text[at] == byte) {
            ++at;
        } else if (metaspace && byte == ' ' && at + 3 <= text.size() && text[at] == 0xe2 && text[at + 1] == 0x96 &&
                   text[at + 2] == 0x81) {
            at += 3;
        } else {
            return kNoMatch;
        }
    }
    return at;
}

class Aligner {
   public:
    Aligner(const Encoder& encoder, Bytes text)
        : encoder_(encoder),
          text_(text),
          metaspace_(encoder.vocabulary().options().alphabet == Alphabet::kChars),
          prefixed_(encoder.options().prefix_space != PrefixSpace::kNever) {}

    // The bytes of the next token.
    std::pair<std::size_t, std::size_t> next(TokenId id) {
        const Vocabulary& v = encoder_.vocabulary();
        const Bytes token = v.token_bytes(id);
        if (id == v.options().unk && !starts_here(token)) return unknown();
        for (std::size_t at = position_; at <= text_.size(); ++at) {
            // A space put in front of a stretch stands in the token, not in the text.
            std::size_t end = match_end(text_, at, token, metaspace_);
            if (end == kNoMatch && prefixed_ && at_stretch_start_ && token[0] == ' ') {
                end = match_end(text_, at, token.subspan(1), metaspace_);
            }
            if (end != kNoMatch) return take(at, end, !v.is_model(id));
            // Only bytes that became no token may be passed over.
            if (at - position_ > kMaxPassedOver) break;
        }
        throw Error("the tokens' bytes are not those of the text after normalisation; offsets are not known for it");
    }

   private:
    static constexpr std::size_t kMaxPassedOver = 1 << 16;

    bool starts_here(Bytes token) const { return match_end(text_, position_, token, metaspace_) != kNoMatch; }

    std::pair<std::size_t, std::size_t> take(std::size_t begin, std::size_t end, bool added) {
        position_ = end;
        at_stretch_start_ = added;
        return {begin, end};
    }

    // An unknown token stands for one character, or for all unknown ones in a row.
    std::pair<std::size_t, std::size_t> unknown() {
        const Vocabulary& v = encoder_.vocabulary();
        const std::size_t begin = position_;
        std::size_t end = begin;
        do {
            const Char c = decode_char(text_.data() + end, text_.size() - end);
            const bool known = metaspace_ ? c.code_point != kInvalid && v.char_symbol(c.code_point) != kNoToken
                                          : v.byte_symbol(text_[end]) != kNoToken;
            if (known) break;
            end += metaspace_ ? c.n_bytes : 1;
        } while (v.options().fuse_unk && end < text_.size());
        return take(begin, std::max(end, begin), false);
    }

    const Encoder& encoder_;
    Bytes text_;
    bool metaspace_, prefixed_;
    std::size_t position_ = 0;
    bool at_stretch_start_ = true;
};

}  // namespace

TokenRanges token_ranges(const Encoder& encoder, Bytes text, const SpecialPlan& plan) {
    TokenRanges ranges;
    Encoder::Workspace workspace;
    encoder.encode(text, plan, workspace, ranges.ids);
    ranges.begins.reserve(ranges.ids.size());
    ranges.ends.reserve(ranges.ids.size());
    Aligner aligner(encoder, text);
    for (std::size_t i = 0; i < ranges.ids.size(); ++i) {
        const auto [begin, end] = aligner.next(ranges.ids.data()[i]);
        ranges.begins.push_back(static_cast<std::int64_t>(begin));
        ranges.ends.push_back(static_cast<std::int64_t>(end));
    }
    return ranges;
}

}  // namespace fissile
