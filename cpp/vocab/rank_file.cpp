#include "vocab/rank_file.hpp"

#include <array>
#include <cstring>

namespace fissile {

namespace {

constexpr std::array<std::int8_t, 256> make_base64_values() {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < kDigits.size(); ++i) {
        values[static_cast<std::uint8_t>(kDigits[i])] = static_cast<std::int8_t>(i);
    }
    return values;
}
constexpr std::array<std::int8_t, 256> kBase64 = make_base64_values();

// Decodes standard base64 with padding; false if it is not that.
bool decode_base64(Bytes text, std::vector<std::uint8_t>& out) {
    out.clear();
    if (text.empty() || text.size() % 4 != 0) return false;
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const bool last = i + 4 == text.size();
        const int padding = !last ? 0 : text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        std::uint32_t word = 0;
        for (int k = 0; k < 4; ++k) {
            const std::int8_t value =
                k >= 4 - padding ? std::int8_t{0} : kBase64[text[i + static_cast<std::size_t>(k)]];
            if (value < 0) return false;
            word = word << 6 | static_cast<std::uint32_t>(value);
        }
        for (int k = 0; k < 3 - padding; ++k) out.push_back(static_cast<std::uint8_t>(word >> (16 - 8 * k)));
    }
    return true;
}

[[noreturn]] void fail(const std::string& source, std::size_t line_number, const std::string& what) {
    throw FileError(source + ": line " + std::to_string(line_number) + ": " + what);
}

std::string shown(Bytes bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size() && i < 40; ++i) {
        text += bytes[i] >= 32 && bytes[i] < 127 ? static_cast<char>(bytes[i]) : '?';
    }
    return "'" + text + (bytes.size() > 40 ? "...'" : "'");
}

}  // namespace

RankTokens parse_rank_file(Bytes file, const std::string& source) {
    RankTokens tokens;
    std::vector<std::uint8_t> token;
    std::size_t line_number = 0;
    for (std::size_t begin = 0; begin < file.size();) {
        const void* newline = std::memchr(file.data() + begin, '\n', file.size() - begin);
        const std::size_t end = newline == nullptr
                                    ? file.size()
                                    : static_cast<std::size_t>(static_cast<const std::uint8_t*>(newline) - file.data());
        Bytes line = file.subspan(begin, end - begin);
        begin = end + 1;
        ++line_number;
        if (!line.empty() && line.back() == '\r') line = line.first(line.size() - 1);
        if (line.empty()) continue;
        const void* space = std::memchr(line.data(), ' ', line.size());
        if (space == nullptr) {
            fail(source, line_number, "expected a token in base64, a space and a rank, found " + shown(line));
        }
        const auto split = static_cast<std::size_t>(static_cast<const std::uint8_t*>(space) - line.data());
        if (!decode_base64(line.first(split), token)) {
            fail(source, line_number, "expected a token in base64, found " + shown(line.first(split)));
        }
        const Bytes digits = line.subspan(split + 1);
        std::uint64_t rank = 0;
        for (const std::uint8_t digit : digits) {
            if (digit < '0' || digit > '9' || rank > kMaxTokenId) {
                fail(source, line_number,
                     "expected a rank from 0 to " + std::to_string(kMaxTokenId) + ", found " + shown(digits));
            }
            rank = rank * 10 + (digit - '0');
        }
        if (digits.empty() || rank > kMaxTokenId) {
            fail(source, line_number,
                 "expected a rank from 0 to " + std::to_string(kMaxTokenId) + ", found " + shown(digits));
        }
        tokens.add(token, static_cast<TokenId>(rank));
    }
    if (tokens.size() == 0) throw FileError(source + ": no lines with a token and a rank");
    return tokens;
}

std::shared_ptr<const Vocabulary> vocabulary_from_ranks(const RankTokens& tokens,
                                                        const std::vector<std::pair<std::string, TokenId>>& specials,
                                                        const std::string& source) {
    ModelOptions options;
    options.ignore_merges = true;  // tiktoken looks the whole pretoken up first
    options.unknown_is_error = true;
    VocabularyBuilder builder(source, options);
    for (std::size_t i = 0; i < tokens.size(); ++i) builder.add_model_token(tokens.rank(i), tokens.token(i));
    for (const auto& [content, id] : specials) builder.add_added_token(id, as_bytes(content), true);
    return builder.finish_ranks();
}

}  // namespace fissile
