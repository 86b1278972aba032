#include "vocab/string_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "text/utf8.hpp"
#include "vocab/byte_alphabet.hpp"

namespace fissile {

namespace {

constexpr std::string_view kMetaspace = "\xe2\x96\x81";

// Bytes that a token of the byte-level alphabet stands for; false if some character is outside it.
bool bytes_of_alphabet(std::string_view text, std::vector<std::uint8_t>& bytes) {
    bytes.clear();
    const Bytes in = as_bytes(text);
    for (std::size_t i = 0; i < in.size();) {
        const Char c = decode_char(in.data() + i, in.size() - i);
        if (c.code_point >= kByteAlphabet.byte_of.size() || kByteAlphabet.byte_of[c.code_point] < 0) return false;
        bytes.push_back(static_cast<std::uint8_t>(kByteAlphabet.byte_of[c.code_point]));
        i += c.n_bytes;
    }
    return true;
}

// The text with U+2581 as the space it stands for.
std::string with_spaces(std::string_view text) {
    std::string spaced;
    for (std::size_t i = 0; i < text.size();) {
        if (text.substr(i, kMetaspace.size()) == kMetaspace) {
            spaced += ' ';
            i += kMetaspace.size();
        } else {
            spaced += text[i++];
        }
    }
    return spaced;
}

// NN of <0xNN>, in capitals, or -1.
int fallback_byte(std::string_view text) {
    if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
    int byte = 0;
    for (const char digit : text.substr(3, 2)) {
        if (digit >= '0' && digit <= '9') {
            byte = byte * 16 + (digit - '0');
        } else if (digit >= 'A' && digit <= 'F') {
            byte = byte * 16 + (digit - 'A' + 10);
        } else {
            return -1;
        }
    }
    return byte;
}

// Tokens, and merges, of which the places in the index are asked for together.
constexpr std::size_t kAtOnce = 32;

bool is_joined(std::string_view text, const HfMerge& merge) {
    return text.size() == merge.left.size() + merge.right.size() && text.starts_with(merge.left) &&
           text.ends_with(merge.right);
}

std::vector<Merge> merges_of(const HfTokens& tokens, const std::vector<HfMerge>& merges, const std::string& source) {
    std::vector<Merge> found;
    found.reserve(merges.size());
    const std::vector<HfToken>& all = tokens.all();
    std::string joined;
    std::array<std::array<std::uint64_t, 2>, kAtOnce> hashes;
    std::size_t next = 0;  // after the token that the last merge makes
    for (std::size_t begin = 0; begin < merges.size(); begin += kAtOnce) {
        const std::size_t n = std::min(kAtOnce, merges.size() - begin);
        for (std::size_t i = 0; i < n; ++i) {
            const HfMerge& merge = merges[begin + i];
            hashes[i] = {TokenIndex::hash(as_bytes(merge.left)), TokenIndex::hash(as_bytes(merge.right))};
            for (const std::uint64_t hash : hashes[i]) tokens.ask(hash);
        }
        for (std::size_t i = 0; i < n; ++i) {
            const HfMerge& merge = merges[begin + i];
            const auto place_of = [&](std::string_view text, std::uint64_t hash) {
                const std::size_t place = tokens.place_of(text, hash);
                if (place == HfTokens::kNowhere) {
                    throw FileError(source + ": merges[" + std::to_string(begin + i) + "] ('" +
                                    std::string(merge.left) + "', '" + std::string(merge.right) +
                                    "') needs the token '" + std::string(text) + "', which is not in the vocabulary");
                }
                return place;
            };
            const TokenId left = all[place_of(merge.left, hashes[i][0])].id;
            const TokenId right = all[place_of(merge.right, hashes[i][1])].id;
            // Files mostly have tokens in the order of the merges that make them.
            if (next == all.size() || !is_joined(all[next].text, merge)) {
                joined.assign(merge.left).append(merge.right);
                next = place_of(joined, TokenIndex::hash(as_bytes(joined)));
            }
            found.push_back({left, right, all[next++].id});
        }
    }
    return found;
}

}  // namespace

bool HfTokens::index() {
    index_.reserve(tokens_.size(), tokens_.size());
    const auto text_of = [this](TokenId place) { return as_bytes(tokens_[place].text); };
    std::array<std::uint64_t, kAtOnce> hashes;
    bool once = true;
    for (std::size_t begin = 0; begin < tokens_.size(); begin += kAtOnce) {
        const std::size_t n = std::min(kAtOnce, tokens_.size() - begin);
        for (std::size_t i = 0; i < n; ++i) {
            hashes[i] = TokenIndex::hash(as_bytes(tokens_[begin + i].text));
            index_.ask(hashes[i]);
        }
        for (std::size_t i = 0; i < n; ++i) {
            const auto place = static_cast<TokenId>(begin + i);
            once &= index_.insert(place, hashes[i], text_of) == place;
        }
    }
    return once;
}

std::size_t HfTokens::place_of(std::string_view text, std::uint64_t hash) const {
    const TokenId place = index_.find(as_bytes(text), hash, [this](TokenId at) { return as_bytes(tokens_[at].text); });
    return place == kNoToken ? kNowhere : place;
}

TokenId HfTokens::find(std::string_view text) const {
    const std::size_t place = place_of(text, TokenIndex::hash(as_bytes(text)));
    return place == kNowhere ? kNoToken : tokens_[place].id;
}

std::vector<TokenId> ids_of_added(const HfTokens& tokens, const std::vector<std::string_view>& texts,
                                  const std::string& source) {
    const std::size_t n = tokens.all().size();
    std::vector<TokenId> ids;
    std::vector<std::string_view> not_in_model;
    for (const std::string_view text : texts) {
        TokenId id = tokens.find(text);
        if (id == kNoToken) {
            id = static_cast<TokenId>(n + not_in_model.size());
            not_in_model.push_back(text);
        }
        ids.push_back(id);
    }
    for (const HfToken& token : tokens.all()) {
        if (token.id < n || token.id - n >= not_in_model.size()) continue;  // mostly: ids without holes
        throw FileError(source + ": added_tokens: '" + std::string(not_in_model[token.id - n]) +
                        "' is not in model.vocab, so that it gets id " + std::to_string(token.id) +
                        ", which is that of '" + std::string(token.text) + "' there");
    }
    return ids;
}

std::shared_ptr<const Vocabulary> vocabulary_from_hf(const HfModel& model, const HfTokens& tokens,
                                                     const std::vector<HfMerge>& merges, const std::string& source) {
    ModelOptions options;
    options.alphabet = model.alphabet;
    options.metaspace = model.metaspace;
    options.ignore_merges = model.ignore_merges;
    options.byte_fallback = model.byte_fallback;
    options.fuse_unk = model.fuse_unk;
    if (model.unk_token) {
        options.unk = tokens.find(*model.unk_token);
        if (options.unk == kNoToken)
            throw FileError(source + ": model.unk_token '" + *model.unk_token + "' is not in model.vocab");
    }
    VocabularyBuilder builder(source, options);
    builder.reserve(tokens.all().size() + model.added_tokens.size(), tokens.all().size() * 8);
    std::vector<std::uint8_t> bytes;
    for (const HfToken& token : tokens.all()) {
        const int byte = model.byte_fallback ? fallback_byte(token.text) : -1;
        if (token.text.empty()) {
            builder.add_opaque_token(token.id, {});
        } else if (byte >= 0) {
            builder.add_fallback_token(token.id, static_cast<std::uint8_t>(byte));
        } else if (model.metaspace && token.text.find(' ') != std::string_view::npos) {
            builder.add_opaque_token(token.id, as_bytes(token.text));  // U+2581 stands where text had a space
        } else if (model.alphabet == Alphabet::kChars) {
            builder.add_model_token(token.id,
                                    as_bytes(model.metaspace ? with_spaces(token.text) : std::string(token.text)));
        } else if (bytes_of_alphabet(token.text, bytes)) {
            builder.add_model_token(token.id, bytes);
        } else {
            builder.add_opaque_token(token.id, as_bytes(token.text));
        }
    }
    for (const HfAddedToken& token : model.added_tokens) {
        builder.add_added_token(token.id, as_bytes(token.text), token.special);
    }
    return builder.finish_merges(merges_of(tokens, merges, source));
}

std::shared_ptr<const Vocabulary> vocabulary_from_scores(const ScoredPieces& pieces, bool byte_fallback,
                                                         std::int64_t unk_id, const std::string& source) {
    enum PieceType : std::uint8_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
    ModelOptions options;
    options.alphabet = Alphabet::kChars;
    options.metaspace = true;
    options.byte_fallback = byte_fallback;
    options.fuse_unk = true;
    if (unk_id >= 0) options.unk = static_cast<TokenId>(unk_id);
    VocabularyBuilder builder(source, options);
    std::vector<TokenId> mergeable;
    std::vector<TokenId> unused;
    std::vector<float> scores;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const auto id = static_cast<TokenId>(i);
        const ScoredPiece& piece = pieces[i];
        const std::string place = source + ": piece " + std::to_string(i) + " '" + piece.text + "' ";
        const std::string spaced = with_spaces(piece.text);
        switch (piece.type) {
            case kUnused:
                unused.push_back(id);
                [[fallthrough]];
            case kNormal:
                if (std::isnan(piece.score)) throw FileError(place + "has no number for a score");
                builder.add_model_token(id, as_bytes(spaced));
                mergeable.push_back(id);
                scores.push_back(piece.score);
                break;
            case kUnknown:
            case kControl:
                builder.add_added_token(id, as_bytes(piece.text), true);
                break;
            case kUserDefined:
                builder.add_added_token(id, as_bytes(spaced), false);
                break;
            case kByte: {
                const int byte = fallback_byte(piece.text);
                if (byte < 0) throw FileError(place + "is of type BYTE, but not spelt <0xNN>");
                builder.add_fallback_token(id, static_cast<std::uint8_t>(byte));
                break;
            }
            default:
                throw FileError(place + "is of type " + std::to_string(piece.type) + ", expected 1 to 6");
        }
    }
    if (unk_id >= static_cast<std::int64_t>(pieces.size())) throw FileError(source + ": unk_id is not a piece");
    return builder.finish_scores(mergeable, scores, unused);
}

}  // namespace fissile
