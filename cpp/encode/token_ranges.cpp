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
    // `first`: whether the text begins here, as for Encoder::encode_stretch. `finds_unk`: whether the unknown token may
    // also be one that was found in the text by its name.
    Aligner(const Encoder& encoder, Bytes text, PrefixSpace prefix, bool first, bool finds_unk)
        : encoder_(encoder),
          text_(text),
          chars_(encoder.vocabulary().options().alphabet == Alphabet::kChars),
          metaspace_(encoder.vocabulary().options().metaspace),
          prefix_(prefix),
          first_(first),
          finds_unk_(finds_unk) {}

    // The bytes of the next token.
    std::pair<std::size_t, std::size_t> next(TokenId id) {
        const Vocabulary& v = encoder_.vocabulary();
        const Bytes token = v.token_bytes(id);
        if (id == v.options().unk && !(finds_unk_ && starts_here(token))) return unknown();
        // A space put in front of a stretch stands in the token, not in the text, which may begin with another.
        const bool added = v.is_special(id) || v.is_added(id);
        const bool has_put_space = !added && !token.empty() && token[0] == ' ' && space_was_put();
        for (std::size_t at = position_; at <= text_.size(); ++at) {
            std::size_t end = has_put_space ? match_end(text_, at, token.subspan(1), metaspace_) : kNoMatch;
            if (end == kNoMatch) end = match_end(text_, at, token, metaspace_);
            if (end != kNoMatch) return take(at, end, added);
            // Only bytes that became no token may be passed over.
            if (at - position_ > kMaxPassedOver) break;
        }
        throw Error("the tokens' bytes are not those of the text after normalisation; offsets are not known for it");
    }

   private:
    static constexpr std::size_t kMaxPassedOver = 1 << 16;

    bool starts_here(Bytes token) const { return match_end(text_, position_, token, metaspace_) != kNoMatch; }

    // Whether a space that the text does not have goes before the next token, as Encoder::encode_stretch puts it.
    bool space_was_put() const {
        if (!at_stretch_start_ || (encoder_.options().prefix_first_stretch_only && !first_)) return false;
        if (prefix_ != PrefixSpace::kUnlessSpace) return prefix_ == PrefixSpace::kAlways;
        constexpr std::uint8_t kSpace[] = {' '};
        return match_end(text_, position_, kSpace, encoder_.options().cut_by_vocabulary) == kNoMatch;
    }

    std::pair<std::size_t, std::size_t> take(std::size_t begin, std::size_t end, bool added) {
        position_ = end;
        at_stretch_start_ = added;
        first_ = false;
        return {begin, end};
    }

    // An unknown token stands for one character, or for all unknown ones in a row.
    std::pair<std::size_t, std::size_t> unknown() {
        const Vocabulary& v = encoder_.vocabulary();
        const std::size_t begin = position_;
        std::size_t end = begin;
        // A space that was put in front may be unknown itself, and took what another unknown token is about.
        while (end < text_.size()) {
            const Char c = decode_char(text_.data() + end, text_.size() - end);
            const bool known = chars_ ? c.code_point != kInvalid && v.char_symbol(c.code_point) != kNoToken
                                      : v.byte_symbol(text_[end]) != kNoToken;
            if (known) break;
            end += chars_ ? c.n_bytes : 1;
            if (!v.options().fuse_unk) break;
        }
        return take(begin, std::max(end, begin), false);
    }

    const Encoder& encoder_;
    Bytes text_;
    bool chars_, metaspace_;
    PrefixSpace prefix_;
    bool first_, finds_unk_;
    std::size_t position_ = 0;
    bool at_stretch_start_ = true;
};

// Whether a token is one that is looked for in the text by its name.
bool finds(const Encoder& encoder, const SpecialPlan& plan, TokenId id) {
    const std::vector<AddedToken>& tokens = encoder.special_tokens().tokens();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i].id == id && (plan.raw[i] != 0 || plan.normalized[i] != 0)) return true;
    }
    return false;
}

// Whether some token takes white space beside it, which is not in its bytes.
bool any_strips(const Encoder& encoder) {
    const std::vector<AddedToken>& tokens = encoder.special_tokens().tokens();
    return std::any_of(tokens.begin(), tokens.end(), [](const AddedToken& token) {
        return (token.flags & (kTokenLeftStrip | kTokenRightStrip)) != 0;
    });
}

// Which bytes of the text each byte of something made from it stands for.
class Origins {
   public:
    // Of the text itself from byte `at` on: each byte stands for itself.
    explicit Origins(std::size_t at) : at_(static_cast<std::int64_t>(at)) {}

    std::int64_t begin(std::size_t i) const {
        return are_bytes_ ? at_ + static_cast<std::int64_t>(i) : ranges_[i].first;
    }
    std::int64_t end(std::size_t i) const {
        return are_bytes_ ? at_ + static_cast<std::int64_t>(i) + 1 : ranges_[i].second;
    }

    // These are of `text`: those of something that a step made of its characters, of which `sources` holds one a byte.
    Origins after(Bytes text, const TextSteps::Sources& sources) const {
        std::vector<std::pair<std::int64_t, std::int64_t>> characters;
        for (std::size_t i = 0; i < text.size();) {
            const std::size_t next = i + decode_char(text.data() + i, text.size() - i).n_bytes;
            characters.emplace_back(begin(i), end(next - 1));
            i = next;
        }
        Origins made(0);
        made.are_bytes_ = false;
        for (const std::int64_t source : sources) {
            if (source < 0 || static_cast<std::size_t>(source) >= characters.size()) {
                throw Error("a step took its text from character " + std::to_string(source) + " of " +
                            std::to_string(characters.size()));
            }
            made.ranges_.push_back(characters[static_cast<std::size_t>(source)]);
        }
        return made;
    }

    // Those of the part that begins at byte `from` and ends at `to`.
    Origins part(std::size_t from, std::size_t to) const {
        Origins cut(static_cast<std::size_t>(at_) + from);
        cut.are_bytes_ = are_bytes_;
        if (!are_bytes_) {
            cut.ranges_.assign(ranges_.begin() + static_cast<std::ptrdiff_t>(from),
                               ranges_.begin() + static_cast<std::ptrdiff_t>(to));
        }
        return cut;
    }

   private:
    std::int64_t at_;
    bool are_bytes_ = true;  // each byte stands for itself
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges_;
};

// Whether a step left a text as it is, so that each byte stands for itself and not for all of its character.
bool is_the_same(Bytes text, Bytes made, const TextSteps::Sources& sources) {
    if (sources.size() != text.size() || !std::equal(text.begin(), text.end(), made.begin(), made.end())) return false;
    std::int64_t character = 0;
    for (std::size_t i = 0; i < text.size(); ++character) {
        if (sources[i] != character) return false;
        i += decode_char(text.data() + i, text.size() - i).n_bytes;
    }
    return true;
}

// The way of a text as Encoder::encode takes it, added tokens and steps that rewrite it included, with the origin of
// every byte.
class Walk {
   public:
    Walk(const Encoder& encoder, const SpecialPlan& plan, TokenRanges& ranges)
        : encoder_(encoder), plan_(plan), ranges_(ranges) {}

    void text(Bytes text) {
        const SpecialTokens& specials = encoder_.special_tokens();
        std::size_t position = 0;
        for (SpecialTokens::Match match = specials.first(text, plan_.raw);;
             match = specials.next(text, match, plan_.raw)) {
            const bool last = match.token == SpecialTokens::npos;
            raw(text.subspan(position, match.begin - position), position, position == 0, last);
            if (last) return;
            add(specials.tokens()[match.token].id, static_cast<std::int64_t>(match.begin),
                static_cast<std::int64_t>(match.end));
            position = match.end;
        }
    }

   private:
    void add(TokenId id, std::int64_t begin, std::int64_t end) {
        ranges_.ids.append(&id, 1);
        ranges_.begins.push_back(begin);
        ranges_.ends.push_back(end);
    }

    void raw(Bytes text, std::size_t at, bool first, bool ends_text) {
        std::vector<std::uint8_t> normalized;
        TextSteps::Sources sources;
        Origins origins(at);
        if (encoder_.steps().normalize && !text.empty() &&
            encoder_.steps().normalize(text, first, normalized, &sources)) {
            origins = origins.after(text, sources);
            text = normalized;
        }
        const SpecialTokens& specials = encoder_.special_tokens();
        std::size_t position = 0;
        for (SpecialTokens::Match match = specials.first(text, plan_.normalized);;
             match = specials.next(text, match, plan_.normalized)) {
            const bool last = match.token == SpecialTokens::npos;
            stretch(text.subspan(position, match.begin - position), origins.part(position, match.begin),
                    first && position == 0, ends_text && last);
            if (last) return;
            add(specials.tokens()[match.token].id, origins.begin(std::min(match.begin, match.end - 1)),
                origins.end(match.end - 1));
            position = match.end;
        }
    }

    void stretch(Bytes text, const Origins& origins, bool first, bool ends_text) {
        if (!encoder_.steps().split) {
            IdArray ids;
            encoder_.encode_normalized(text, first, ends_text, workspace_, ids);
            align(text, origins, ids, encoder_.options().prefix_space, first);
            return;
        }
        if (text.empty()) return;
        std::vector<std::uint8_t> rewritten;
        std::vector<std::int64_t> ends;
        TextSteps::Sources sources;
        encoder_.steps().split(text, first, rewritten, ends, &sources);
        const Origins all = is_the_same(text, rewritten, sources) ? origins : origins.after(text, sources);
        std::size_t begin = 0;
        for (const std::int64_t end : ends) {
            const Bytes span = Bytes(rewritten).subspan(begin, static_cast<std::size_t>(end) - begin);
            IdArray ids;
            encoder_.encode_rewritten(span, workspace_, ids);
            align(span, all.part(begin, static_cast<std::size_t>(end)), ids, PrefixSpace::kNever, first);
            begin = static_cast<std::size_t>(end);
        }
    }

    void align(Bytes text, const Origins& origins, const IdArray& ids, PrefixSpace prefix, bool first) {
        Aligner aligner(encoder_, text, prefix, first, false);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto [begin, end] = aligner.next(ids.data()[i]);
            if (begin < end) {
                add(ids.data()[i], origins.begin(begin), origins.end(end - 1));
            } else {
                // A token of no text, such as that of a space put in front: an empty range where it stands.
                const std::int64_t at = begin < text.size()    ? origins.begin(begin)
                                        : begin > 0            ? origins.end(begin - 1)
                                        : ranges_.ends.empty() ? 0
                                                               : ranges_.ends.back();
                add(ids.data()[i], at, at);
            }
        }
    }

    const Encoder& encoder_;
    const SpecialPlan& plan_;
    TokenRanges& ranges_;
    Encoder::Workspace workspace_;
};

}  // namespace

TokenRanges token_ranges(const Encoder& encoder, Bytes text, const SpecialPlan& plan) {
    TokenRanges ranges;
    if (encoder.steps().normalize || encoder.steps().split || any_strips(encoder)) {
        encoder.check_disallowed(text, plan);
        Walk(encoder, plan, ranges).text(text);
        return ranges;
    }
    Encoder::Workspace workspace;
    encoder.encode(text, plan, workspace, ranges.ids);
    ranges.begins.reserve(ranges.ids.size());
    ranges.ends.reserve(ranges.ids.size());
    Aligner aligner(encoder, text, encoder.options().prefix_space, true,
                    finds(encoder, plan, encoder.vocabulary().options().unk));
    for (std::size_t i = 0; i < ranges.ids.size(); ++i) {
        const auto [begin, end] = aligner.next(ranges.ids.data()[i]);
        ranges.begins.push_back(static_cast<std::int64_t>(begin));
        ranges.ends.push_back(static_cast<std::int64_t>(end));
    }
    return ranges;
}

}  // namespace fissile
