// Coarse cuts: every scanner gives those of the definition, no token reaches over one, and with few kinds of characters
// none is missed between ASCII characters.
#include <random>
#include <set>
#include <string>
#include <vector>

#include "check.hpp"
#include "pretokenize/cut_classes.hpp"
#include "pretokenize/scanners.hpp"
#include "vocab/coarse_cuts.hpp"
#include "vocab/rank_file.hpp"

using namespace fissile;

namespace {

// Tokens of two to four of the strings, any of which may be a part of a character.
std::shared_ptr<const Vocabulary> random_vocabulary(std::mt19937& random, const std::vector<std::string>& strings,
                                                    std::set<std::string>& tokens_made) {
    RankTokens tokens;
    TokenId rank = 0;
    std::vector<std::string> made;
    for (int byte = 0; byte < 256; ++byte) {
        const auto b = static_cast<std::uint8_t>(byte);
        tokens.add({&b, 1}, rank++);
        made.push_back({static_cast<char>(b)});
    }
    std::set<std::string> known(made.begin(), made.end());
    const auto token = [&] {
        const std::string& string = strings[random() % strings.size()];
        return random() % 2 == 0 ? string : made[random() % made.size()];
    };
    for (int i = 0; i < 300; ++i) {
        // Each joins two that are there, a character's bytes one by one.
        std::string joined = token() + token();
        if (joined.size() > 12) continue;
        for (std::size_t n = 2; n <= joined.size(); ++n) {
            const std::string part = joined.substr(0, n);
            if (known.insert(part).second) {
                tokens.add(as_bytes(part), rank++);
                made.push_back(part);
            }
        }
    }
    tokens_made = std::move(known);
    return vocabulary_from_ranks(tokens, {}, "random");
}

std::vector<std::uint32_t> scanned(const CutClasses& classes, Bytes text, ScanCutsFunction scan, std::size_t capacity,
                                   std::size_t position) {
    std::vector<std::uint32_t> all, ends(capacity);
    while (position < text.size()) {
        const ScanResult result = scan(classes, text, position, ends.data(), capacity);
        CHECK(result.n_spans != 0 && result.n_spans <= capacity);
        CHECK_EQUAL(ends[result.n_spans - 1], result.position);
        all.insert(all.end(), ends.begin(), ends.begin() + static_cast<std::ptrdiff_t>(result.n_spans));
        position = result.position;
    }
    return all;
}

std::vector<std::uint32_t> defined(const CutClasses& classes, Bytes text, std::size_t position) {
    std::vector<std::uint32_t> ends;
    for (std::size_t at = position + 1; at < text.size(); ++at) {
        if (cut_in_front(classes, text, at)) ends.push_back(static_cast<std::uint32_t>(at));
    }
    if (position < text.size()) ends.push_back(static_cast<std::uint32_t>(text.size()));
    return ends;
}

std::string random_text(std::mt19937& random, const std::vector<std::string>& strings, std::size_t n) {
    std::string text;
    while (text.size() < n) {
        if (random() % 8 == 0) {
            text.push_back(static_cast<char>(random()));
        } else {
            text += strings[random() % strings.size()];
        }
    }
    text.resize(n);
    return text;
}

const std::vector<std::string> kStrings{"a",    "b",   "zz",           "A",        "1",        " ",
                                        "  ",   ".",   "\n",           "(",        "é",        "—",
                                        "日",   "本",  "\xe2\x96\x81", "\xe2\x96", "\x96\x81", "\xf0\x9f\x98\x80",
                                        "\x80", "\xff"};

std::string ascii_text(std::mt19937& random, std::size_t n) {
    std::string text(n, ' ');
    for (char& c : text) c = static_cast<char>(random() % 128);
    return text;
}

// All ISAs of this machine.
void check_scanners(const CutClasses& classes, const std::string& string) {
    // On the heap to the byte, so that sanitizers see a read beyond the end.
    const std::vector<std::uint8_t> bytes(string.begin(), string.end());
    const Bytes text(bytes.data(), bytes.size());
    for (const std::size_t position : {std::size_t{0}, text.size() / 3}) {
        const std::vector<std::uint32_t> expected = defined(classes, text, position);
        for (const Isa isa : available_isas()) {
            for (const std::size_t capacity : {64, 100, 256}) {
                CHECK(scanned(classes, text, cut_scanner_for(isa), capacity, position) == expected);
            }
        }
    }
}

void check_scanners(const CutClasses& classes, std::mt19937& random) {
    for (const std::size_t n : {0, 1, 2, 15, 63, 64, 65, 66, 127, 128, 129, 1000}) {
        check_scanners(classes, random_text(random, kStrings, n));
    }
    // A space among ASCII alone, wherever a block may end.
    for (std::size_t n = 58; n < 68; ++n) {
        check_scanners(classes, ascii_text(random, n) + "\xe2\x96\x81" + ascii_text(random, 1 + random() % 80));
    }
}

CutClasses random_classes(std::mt19937& random) {
    CutClasses classes;
    const unsigned rarity = random() % 3;
    for (std::size_t i = 0; i < 128; ++i) {
        classes.left[i] = static_cast<std::uint8_t>(1u << random() % CutClasses::kMost);
        classes.right[i] = static_cast<std::uint8_t>(rarity == 0 ? random() : random() & random());
    }
    classes.right_lead = static_cast<std::uint8_t>(random() | CutClasses::kWideLeft);
    classes.metaspace = random() % 2;
    classes.before_spaces = random() % 2;
    return classes;
}

void check_no_token_is_cut(std::mt19937& random) {
    std::set<std::string> tokens;
    const auto vocabulary = random_vocabulary(random, kStrings, tokens);
    const CoarseCuts cuts(*vocabulary, false);
    std::uint32_t ends[256];
    for (const std::string& token : tokens) {
        const TokenId id = vocabulary->find(as_bytes(token));
        if (!vocabulary->is_reachable(id)) continue;
        CHECK_EQUAL(cuts.cut(as_bytes(token), 0, ends, 256).n_spans, 1u);
    }
}

// Three kinds of characters are told apart, so that cuts are those of the definition of exact cuts.
void check_few_kinds() {
    RankTokens tokens;
    TokenId rank = 0;
    for (int byte = 0; byte < 256; ++byte) {
        const auto b = static_cast<std::uint8_t>(byte);
        tokens.add({&b, 1}, rank++);
    }
    for (const char* token : {"ab", "ba", " a", " b", "..", "日a"})
        tokens.add(as_bytes(std::string_view(token).substr(0, 2)), rank++);
    const auto vocabulary = vocabulary_from_ranks(tokens, {}, "few");
    const CoarseCuts cuts(*vocabulary, false);
    std::uint32_t ends[256];
    const auto pieces = [&](std::string_view text) { return cuts.cut(as_bytes(text), 0, ends, 256).n_spans; };
    CHECK_EQUAL(pieces("abab ab.. ba"), 4u);  // abab| ab|..| ba
    CHECK_EQUAL(pieces("1.a.b"), 5u);
    CHECK_EQUAL(pieces("aab"), 2u);
    CHECK_EQUAL(pieces("日本語"), 1u);
    CHECK_EQUAL(pieces("a日.本"), 4u);
}

}  // namespace

int main() {
    std::mt19937 random(1);
    for (int i = 0; i < 200; ++i) check_scanners(random_classes(random), random);
    for (int i = 0; i < 20; ++i) check_no_token_is_cut(random);
    check_few_kinds();
    return check::result();
}
