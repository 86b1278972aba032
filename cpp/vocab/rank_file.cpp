#include "vocab/rank_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "cpu/hash.hpp"
#include "text/ascii_words.hpp"

namespace fissile {

namespace {

// What each base64 digit stands for at each of four places; a bit above for what is none, and one for the padding of
// the last two places.
constexpr unsigned kNoDigitBit = 31, kPaddingBit = 30;
constexpr std::uint32_t kNoDigit = 1u << kNoDigitBit, kPadding = 1u << kPaddingBit;
constexpr std::array<std::array<std::uint32_t, 256>, 4> make_base64_values() {
    std::array<std::array<std::uint32_t, 256>, 4> values{};
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (unsigned place = 0; place < 4; ++place) {
        values[place].fill(kNoDigit);
        for (std::uint32_t i = 0; i < kDigits.size(); ++i) {
            values[place][static_cast<std::uint8_t>(kDigits[i])] = i << (18 - 6 * place);
        }
        if (place >= 2) values[place]['='] = kPadding;
    }
    return values;
}
constexpr std::array<std::array<std::uint32_t, 256>, 4> kBase64 = make_base64_values();

// Decodes standard base64 with padding; false if it is not that.
bool decode_base64(Bytes text, std::vector<std::uint8_t>& out) {
    if (text.empty() || text.size() % 4 != 0) return false;
    const std::size_t padding = text.back() != '=' ? 0 : text[text.size() - 2] != '=' ? 1 : 2;
    out.resize(text.size() / 4 * 3);
    std::uint32_t wrong = 0;
    const auto decode = [&](std::size_t at, std::uint8_t c, std::uint8_t d) {
        const std::uint32_t word = kBase64[0][text[at]] | kBase64[1][text[at + 1]] | kBase64[2][c] | kBase64[3][d];
        wrong |= word;
        std::uint8_t* const bytes = out.data() + at / 4 * 3;
        bytes[0] = static_cast<std::uint8_t>(word >> 16);
        bytes[1] = static_cast<std::uint8_t>(word >> 8);
        bytes[2] = static_cast<std::uint8_t>(word);
    };
    const std::size_t last = text.size() - 4;
    for (std::size_t i = 0; i < last; i += 4) decode(i, text[i + 2], text[i + 3]);
    decode(last, padding == 2 ? std::uint8_t{'A'} : text[last + 2], padding != 0 ? std::uint8_t{'A'} : text[last + 3]);
    out.resize(out.size() - padding);
    return (wrong & (kNoDigit | kPadding)) == 0;
}

// The first place of a byte among the eight at `at`, or 8.
std::size_t place_among_eight(const std::uint8_t* at, std::uint8_t byte) {
    const std::uint64_t others = load_word(at, 8) ^ (ascii::kOnes * byte);
    return static_cast<std::size_t>(std::countr_zero((others - ascii::kOnes) & ~others & ascii::kTops)) / 8;
}

// A line as nearly all are: a token of up to kUsualBytes bytes in base64, a space, digits, a newline. What comes behind
// it, or nullptr if it is another, right or wrong: those are read with more care. How long a token is follows no rule,
// so of the usual ones as many groups of four digits are decoded as the longest has, and the rest is not looked at.
const std::uint8_t* read_usual_line(const std::uint8_t* at, const std::uint8_t* end, VocabularyBuilder& builder) {
    constexpr std::size_t kUsualBytes = 96, kMostChars = kUsualBytes / 3 * 4, kShortChars = 16;
    constexpr std::ptrdiff_t kMostDigits = 9;
    if (end - at < static_cast<std::ptrdiff_t>(kMostChars) + 8 + kMostDigits + 1) return nullptr;
    const std::size_t first = place_among_eight(at, ' '), second = place_among_eight(at + 8, ' ');
    std::size_t n_chars = first < 8 ? first : 8 + second;
    while (n_chars % 8 == 0 && n_chars >= kShortChars && n_chars < kMostChars && at[n_chars] != ' ') {
        n_chars += place_among_eight(at + n_chars, ' ');
    }
    if (at[n_chars] != ' ' || n_chars % 4 != 0 || n_chars == 0) return nullptr;
    const std::size_t n_groups = n_chars / 4;
    std::array<std::uint8_t, kUsualBytes> token;
    std::uint32_t bad = 0, padded = 0;  // groups
    for (std::size_t group = 0; group < std::max(n_groups, kShortChars / 4); ++group) {
        const std::uint8_t* const c = at + group * 4;
        const std::uint32_t word = kBase64[0][c[0]] | kBase64[1][c[1]] | kBase64[2][c[2]] | kBase64[3][c[3]];
        bad |= (word >> kNoDigitBit) << group;
        padded |= (word >> kPaddingBit & 1) << group;
        token[group * 3] = static_cast<std::uint8_t>(word >> 16);
        token[group * 3 + 1] = static_cast<std::uint8_t>(word >> 8);
        token[group * 3 + 2] = static_cast<std::uint8_t>(word);
    }
    const std::size_t padding = at[n_chars - 1] != '=' ? 0 : at[n_chars - 2] != '=' ? 1 : 2;
    const std::uint32_t last = std::uint32_t{1} << (n_groups - 1), groups = last | (last - 1);
    if ((bad & groups) != 0 || (padded & groups) != (padding != 0 ? last : 0)) return nullptr;
    const std::uint8_t* const digits = at + n_chars + 1;
    std::uint32_t rank = 0;
    for (at = digits; *at >= '0' && *at <= '9'; ++at) {
        if (at - digits == kMostDigits) return nullptr;
        rank = rank * 10 + (*at - std::uint32_t{'0'});
    }
    if (*at != '\n' || at == digits || rank > kMaxTokenId) return nullptr;
    builder.add_model_token(rank, {token.data(), n_groups * 3 - padding});
    return at + 1;
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

ModelOptions options_of_ranks() {
    ModelOptions options;
    options.ignore_merges = true;  // tiktoken looks the whole pretoken up first
    options.unknown_is_error = true;
    return options;
}

std::shared_ptr<const Vocabulary> finish(VocabularyBuilder& builder, const SpecialIds& specials) {
    for (const auto& [content, id] : specials) builder.add_added_token(id, as_bytes(content), true);
    return builder.finish_ranks();
}

}  // namespace

std::shared_ptr<const Vocabulary> vocabulary_from_rank_file(Bytes file, const SpecialIds& specials,
                                                            const std::string& source) {
    VocabularyBuilder builder(source, options_of_ranks());
    builder.reserve(file.size() / 8 + specials.size(), file.size() / 4 * 3);  // memory is not touched before it is used
    std::vector<std::uint8_t> token;
    std::size_t line_number = 0, n_tokens = 0;
    for (std::size_t begin = 0; begin < file.size();) {
        if (const std::uint8_t* next = read_usual_line(file.data() + begin, file.data() + file.size(), builder)) {
            begin = static_cast<std::size_t>(next - file.data());
            ++line_number;
            ++n_tokens;
            continue;
        }
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
        builder.add_model_token(static_cast<TokenId>(rank), token);
        ++n_tokens;
    }
    if (n_tokens == 0) throw FileError(source + ": no lines with a token and a rank");
    return finish(builder, specials);
}

std::shared_ptr<const Vocabulary> vocabulary_from_ranks(const RankTokens& tokens, const SpecialIds& specials,
                                                        const std::string& source) {
    VocabularyBuilder builder(source, options_of_ranks());
    for (std::size_t i = 0; i < tokens.size(); ++i) builder.add_model_token(tokens.rank(i), tokens.token(i));
    return finish(builder, specials);
}

}  // namespace fissile
