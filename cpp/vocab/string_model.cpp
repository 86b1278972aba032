#include "vocab/string_model.hpp"

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

}  // namespace

std::shared_ptr<const Vocabulary> vocabulary_from_hf(const HfModel& model, const std::string& source) {
    const std::vector<HfToken>& tokens = model.tokens;
    TokenIndex index;  // token text -> place in `tokens`
    index.reserve(tokens.size(), tokens.size());
    const auto text_of = [&tokens](TokenId place) { return as_bytes(tokens[place].text); };
    for (TokenId place = 0; place < tokens.size(); ++place) index.insert(place, text_of);

    ModelOptions options;
    options.alphabet = model.alphabet;
    options.metaspace = model.metaspace;
    options.ignore_merges = model.ignore_merges;
    options.byte_fallback = model.byte_fallback;
    options.fuse_unk = model.fuse_unk;
    if (model.unk_token) {
        const TokenId place = index.find(as_bytes(*model.unk_token), text_of);
        if (place == kNoToken)
            throw FileError(source + ": model.unk_token '" + *model.unk_token + "' is not in model.vocab");
        options.unk = tokens[place].id;
    }
    VocabularyBuilder builder(source, options);
    std::vector<std::uint8_t> bytes;
    for (const HfToken& token : tokens) {
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
    std::vector<Merge> merges;
    merges.reserve(model.merges.size());
    std::string joined;
    for (std::size_t i = 0; i < model.merges.size(); ++i) {
        const HfMerge& merge = model.merges[i];
        const auto id_of = [&](std::string_view text) {
            const TokenId place = index.find(as_bytes(text), text_of);
            if (place == kNoToken) {
                throw FileError(source + ": merges[" + std::to_string(i) + "] ('" + std::string(merge.left) + "', '" +
                                std::string(merge.right) + "') needs the token '" + std::string(text) +
                                "', which is not in the vocabulary");
            }
            return tokens[place].id;
        };
        joined.assign(merge.left).append(merge.right);
        merges.push_back({id_of(merge.left), id_of(merge.right), id_of(joined)});
    }
    return builder.finish_merges(std::move(merges));
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
