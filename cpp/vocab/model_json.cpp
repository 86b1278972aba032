#include "vocab/model_json.hpp"

#include <array>
#include <cstring>

#include "text/utf8.hpp"

namespace fissile {

namespace {

// Bytes that stand for themselves in a string.
constexpr std::array<bool, 256> make_plain() {
    std::array<bool, 256> plain{};
    for (unsigned byte = 0x20; byte < 0x80; ++byte) plain[byte] = byte != '"' && byte != '\\';
    return plain;
}
constexpr std::array<bool, 256> kPlain = make_plain();

void append_utf8(std::string& text, std::uint32_t c) {
    if (c < 0x80) {
        text += static_cast<char>(c);
    } else if (c < 0x800) {
        text += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
    } else if (c < 0x10000) {
        text += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
                 static_cast<char>(0x80 | (c & 0x3f))};
    } else {
        text += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)),
                 static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
    }
}

// Each read_* is false, and the reader of no more use, where something else comes than it reads.
class Reader {
   public:
    Reader(Bytes file, ModelJson& found) : at_(file.data()), end_(file.data() + file.size()), found_(found) {}

    // The whole file. What is not model.vocab or model.merges need only be told from what is: the parser of the rest
    // sees it as it stands.
    bool read_file() {
        copied_ = at_;
        bool has_model = false;
        const bool read = read_members([&](std::string_view key) {
            if (key != "model") return skip_value();
            if (has_model) return false;
            return has_model = read_model();
        });
        found_.rest.append(copied_, end_);
        return read && has_model;
    }

   private:
    bool read_model() {
        bool has_vocab = false, has_merges = false;
        const bool read = read_members([&](std::string_view key) {
            if (key == "vocab" && !has_vocab)
                return has_vocab = read_in_place_of("{}", [this] { return read_vocab(); });
            if (key == "merges" && !has_merges)
                return has_merges = read_in_place_of("[]", [this] { return read_merges(); });
            return key != "vocab" && key != "merges" && skip_value();
        });
        return read && has_vocab && has_merges;
    }

    // A value that the rest has `empty` for.
    template <class Read>
    bool read_in_place_of(std::string_view empty, const Read& read) {
        found_.rest.append(copied_, at_);
        found_.rest += empty;
        const bool is_read = read();
        copied_ = at_;
        return is_read;
    }

    bool read_vocab() {
        const bool read = read_members([this](std::string_view key) {
            TokenId id = 0;
            if (!read_id(id)) return false;
            found_.tokens.add(key, id);
            return true;
        });
        return read && found_.tokens.index();
    }

    bool read_merges() {
        return read_list([this] {
            HfMerge merge;
            if (peek() == '[') {
                std::size_t n = 0;
                const bool read = read_list([&] { return n < 2 && read_string(n++ == 0 ? merge.left : merge.right); });
                if (!read || n != 2) return false;
            } else {
                std::string_view pair;
                if (!read_string(pair)) return false;
                const std::size_t space = pair.find(' ');
                if (space == std::string_view::npos || space == 0 || space + 1 == pair.size() ||
                    pair.find(' ', space + 1) != std::string_view::npos)
                    return false;
                merge = {pair.substr(0, space), pair.substr(space + 1)};
            }
            found_.merges.push_back(merge);
            return true;
        });
    }

    // read_value(key) reads the value of each member.
    template <class ReadValue>
    bool read_members(const ReadValue& read_value) {
        return read_items('{', '}', [&] {
            std::string_view key;
            if (!read_string(key)) return false;
            skip_space();
            if (!take(':')) return false;
            skip_space();
            return read_value(key);
        });
    }
    template <class ReadItem>
    bool read_list(const ReadItem& read_item) {
        return read_items('[', ']', read_item);
    }
    template <class ReadItem>
    bool read_items(char open, char close, const ReadItem& read_item) {
        skip_space();
        if (!take(open)) return false;
        skip_space();
        if (take(close)) return true;
        for (;;) {
            if (!read_item()) return false;
            skip_space();
            if (take(close)) return true;
            if (!take(',')) return false;
            skip_space();
        }
    }

    bool read_id(TokenId& id) {
        const std::uint8_t* const begin = at_;
        while (at_ != end_ && *at_ >= '0' && *at_ <= '9' && id <= kMaxTokenId) id = id * 10 + (*at_++ - '0');
        if (at_ == begin || id > kMaxTokenId || (*begin == '0' && at_ != begin + 1)) return false;
        const char next = peek();
        return next != '.' && next != 'e' && next != 'E' && !(next >= '0' && next <= '9');
    }

    bool read_string(std::string_view& text) {
        if (!take('"')) return false;
        const std::uint8_t* const begin = at_;
        for (; at_ != end_;) {
            if (kPlain[*at_]) {
                ++at_;
            } else if (*at_ == '"') {
                text = as_chars({begin, at_++});
                return true;
            } else if (*at_ == '\\') {
                return read_escaped(begin, text);
            } else if (!skip_wide()) {
                return false;
            }
        }
        return false;
    }

    // A character of several bytes.
    bool skip_wide() {
        const Char c = decode_char(at_, static_cast<std::size_t>(end_ - at_));
        at_ += c.n_bytes;
        return c.code_point != kInvalid && c.n_bytes > 1;
    }

    // The string from `begin` on, of which nothing is escaped before here.
    bool read_escaped(const std::uint8_t* begin, std::string_view& text) {
        std::string unescaped(begin, at_);
        while (at_ != end_ && *at_ != '"') {
            const std::uint8_t* const from = at_;
            if (kPlain[*at_]) {
                unescaped += static_cast<char>(*at_++);
            } else if (*at_ == '\\') {
                ++at_;
                if (!unescape(unescaped)) return false;
            } else if (skip_wide()) {
                unescaped.append(from, at_);
            } else {
                return false;
            }
        }
        text = found_.unescaped.emplace_back(std::move(unescaped));
        return take('"');
    }

    // What follows a backslash.
    bool unescape(std::string& text) {
        static constexpr std::string_view kEscapes = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
        const char escape = peek();
        if (const std::size_t which = kEscapes.find(escape); which != std::string_view::npos) {
            ++at_;
            text += kMeant[which];
            return true;
        }
        std::uint32_t c = 0, low = 0;
        if (!take('u') || !read_hex(c)) return false;
        if (c >= 0xd800 && c < 0xe000) {
            if (c >= 0xdc00 || !take('\\') || !take('u') || !read_hex(low) || low < 0xdc00 || low >= 0xe000)
                return false;
            c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
        }
        append_utf8(text, c);
        return true;
    }

    bool read_hex(std::uint32_t& value) {
        if (end_ - at_ < 4) return false;
        for (int i = 0; i < 4; ++i) {
            const std::uint8_t digit = *at_++;
            const std::uint8_t small = digit | 0x20;
            if (digit >= '0' && digit <= '9') {
                value = value << 4 | static_cast<std::uint32_t>(digit - '0');
            } else if (small >= 'a' && small <= 'f') {
                value = value << 4 | static_cast<std::uint32_t>(small - 'a' + 10);
            } else {
                return false;
            }
        }
        return true;
    }

    // To the end of a value, if it is one.
    bool skip_value() {
        std::size_t depth = 0;
        for (; at_ != end_; ++at_) {
            switch (*at_) {
                case '"':
                    for (++at_; at_ != end_ && *at_ != '"'; ++at_) {
                        if (*at_ == '\\' && ++at_ == end_) return false;
                    }
                    if (at_ == end_) return false;
                    break;
                case '{':
                case '[':
                    ++depth;
                    break;
                case '}':
                case ']':
                    if (depth == 0) return true;
                    --depth;
                    break;
                case ',':
                    if (depth == 0) return true;
                    break;
                default:
                    break;
            }
        }
        return false;
    }

    char peek() const { return at_ == end_ ? '\0' : static_cast<char>(*at_); }
    bool take(char c) {
        if (peek() != c || at_ == end_) return false;
        ++at_;
        return true;
    }
    void skip_space() {
        // Files are indented by eight spaces and more.
        constexpr std::uint64_t kSpaces = 0x2020202020202020u;
        for (std::uint64_t word; end_ - at_ >= 8; at_ += 8) {
            std::memcpy(&word, at_, 8);
            if (word != kSpaces) break;
        }
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    }

    const std::uint8_t* at_;
    const std::uint8_t* const end_;
    const std::uint8_t* copied_ = nullptr;  // what is before this is in the rest, or was read
    ModelJson& found_;
};

}  // namespace

std::unique_ptr<const ModelJson> read_model_json(Bytes file) {
    auto found = std::make_unique<ModelJson>();
    return Reader(file, *found).read_file() ? std::move(found) : nullptr;
}

}  // namespace fissile
