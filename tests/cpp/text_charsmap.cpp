// Tables of characters: what a small one replaces, and that no bytes taken for one lead outside of them.
#include "text/charsmap.hpp"

#include <random>
#include <string>
#include <vector>

#include "check.hpp"

namespace {

using fissile::as_bytes;
using fissile::Bytes;
using fissile::CharsMap;
using fissile::FileError;
using fissile::SentencePieceNormalizer;

using Table = std::vector<std::uint8_t>;

void put_word(Table& table, std::uint32_t word) {
    for (int shift = 0; shift < 32; shift += 8) table.push_back(static_cast<std::uint8_t>(word >> shift));
}

// A trie of one entry, "a", whose replacement is "bc": from the root (unit 0) to unit 1 ^ 'a', and its leaf beside
// that.
Table small_table() {
    std::vector<std::uint32_t> units(256, 0);
    units[0] = 1u << 10;
    units[1 ^ 'a'] = (std::uint32_t{(1 ^ 'a') ^ 2} << 10) | 1u << 8 | 'a';
    units[2] = 0x80000000u | 1;  // leaf: offset 1 of the replacements
    Table table;
    put_word(table, static_cast<std::uint32_t>(units.size() * 4));
    for (const std::uint32_t unit : units) put_word(table, unit);
    for (const char c : std::string("\0bc\0", 4)) table.push_back(static_cast<std::uint8_t>(c));
    return table;
}

std::string normalized(const CharsMap& map, const std::string& text, fissile::SentencePieceOptions options) {
    std::vector<std::uint8_t> out;
    std::vector<std::int64_t> sources;
    SentencePieceNormalizer(map, {"a!"}, options).normalize(as_bytes(text), out, &sources);
    CHECK_EQUAL(out.size(), sources.size());
    return std::string(fissile::as_chars(out));
}

void check_small_table() {
    const CharsMap map(small_table(), "small");
    CHECK(map.longest(as_bytes("ab")).replacement == "bc");
    CHECK_EQUAL(map.shortest(as_bytes("ab")).n_bytes, 1u);
    CHECK_EQUAL(map.longest(as_bytes("ba")).n_bytes, 0u);
    CHECK_EQUAL(map.longest(as_bytes("")).n_bytes, 0u);
    CHECK(normalized(map, "xa a! ", {false, false, false}) == "xbc a! ");
    CHECK(normalized(map, "  xa   a! ", {true, true, false}) == " xbc a!");
    CHECK(normalized(map, "xa\xe2\x96\x81", {true, false, true}) == "xbc  ");
    CHECK(normalized(map, "", {true, true, true}).empty());
    CHECK(normalized(map, "   ", {true, true, true}).empty());
}

void check_any_bytes() {
    std::mt19937 rng(7);
    const Table good = small_table();
    const std::string text = "a ab a! \xe6\x97\xa5\xff xyz";
    for (int i = 0; i < 20'000; ++i) {
        Table table = good;
        for (int n = 0; n < 8; ++n) table[rng() % table.size()] = static_cast<std::uint8_t>(rng());
        table.resize(rng() % 4 == 0 ? rng() % table.size() : table.size());
        try {
            const CharsMap map(table, "changed");
            normalized(map, text, {true, i % 2 == 0, i % 3 == 0});
            map.shortest(as_bytes(text));
        } catch (const FileError& error) {
            CHECK(std::string(error.what()).rfind("changed: precompiled_charsmap ", 0) == 0);
        }
    }
}

}  // namespace

int main() {
    check_small_table();
    check_any_bytes();
    return check::result();
}
