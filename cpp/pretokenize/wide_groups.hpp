// Characters that are not ASCII, by groups: all letters of an alphabet that a block holds at once. For scripts of which
// nearly every character is one of these; where they are few, unicode_class.hpp is as quick, and says the same of
// these.
//
// Compiled once for each ISA, inside its isa_*.cpp, which provides `Block`. No include guard. A result has a bit for
// each byte of such characters.

inline std::uint64_t three_bytes(std::uint64_t firsts) { return firsts | firsts << 1 | firsts << 2; }

// Where the second and third byte after a place is in a range.
inline std::uint64_t second(const Block& block, unsigned low, unsigned high) { return block.in_range(low, high) >> 1; }
inline std::uint64_t third(const Block& block, unsigned low, unsigned high) { return block.in_range(low, high) >> 2; }

// Ideographs from U+4E00 on; where they begin.
inline std::uint64_t ideograph_firsts(const Block& block) {
    const std::uint64_t firsts =
        (block.in_range(0xe5, 0xe9) & second(block, 0x80, 0xbf)) | (block.eq('\xe4') & second(block, 0xb8, 0xbf));
    return firsts & third(block, 0x80, 0xbf);
}
inline std::uint64_t ideographs(const Block& block) { return three_bytes(ideograph_firsts(block)); }

// The same, and hangul from U+AC00 to U+D77F.
inline std::uint64_t ideographs_and_hangul(const Block& block) {
    const std::uint64_t hangul = (block.in_range(0xeb, 0xec) & second(block, 0x80, 0xbf)) |
                                 (block.eq('\xea') & second(block, 0xb0, 0xbf)) |
                                 (block.eq('\xed') & second(block, 0x80, 0x9d));
    return three_bytes(ideograph_firsts(block) | (hangul & third(block, 0x80, 0xbf)));
}

// Hiragana and katakana, but their marks and the middle dot; `firsts` is where bytes are 0xe3.
inline std::uint64_t kana(const Block& block, std::uint64_t firsts) {
    return three_bytes(firsts & ((second(block, 0x81, 0x81) & third(block, 0x81, 0xbf)) |
                                 (second(block, 0x82, 0x82) & (third(block, 0x80, 0x96) | third(block, 0xa1, 0xbf))) |
                                 (second(block, 0x83, 0x83) & (third(block, 0x80, 0xba) | third(block, 0xbc, 0xbf)))));
}

// Stops, commas and brackets, U+3001 to U+3003 and U+3008 to U+3020; `firsts` as for kana.
inline std::uint64_t ideographic_punctuation(const Block& block, std::uint64_t firsts) {
    return three_bytes(firsts & second(block, 0x80, 0x80) & (third(block, 0x81, 0x83) | third(block, 0x88, 0xa0)));
}

// Wide forms of ASCII punctuation, U+FF01 to U+FF0F and U+FF1A to U+FF20.
inline std::uint64_t wide_punctuation(const Block& block) {
    return three_bytes(block.eq('\xef') & second(block, 0xbc, 0xbc) &
                       (third(block, 0x81, 0x8f) | third(block, 0x9a, 0xa0)));
}

struct WideGroups {
    std::uint64_t letters, others;
};

// All of these. Not inlined: its constants are not to take the registers of text that has none of them.
[[gnu::noinline]] WideGroups wide_groups(const Block& block) {
    const std::uint64_t firsts = block.eq('\xe3');
    WideGroups groups{ideographs_and_hangul(block), wide_punctuation(block)};
    if (firsts != 0) {
        groups.letters |= kana(block, firsts);
        groups.others |= ideographic_punctuation(block, firsts);
    }
    return groups;
}

// Cyrillic, U+0400 to U+047F.
inline std::uint64_t cyrillic(const Block& block) {
    const std::uint64_t firsts = block.in_range(0xd0, 0xd1) & second(block, 0x80, 0xbf);
    return firsts | firsts << 1;
}
// Of these the ones whose case follows from where they lie: up to U+045F.
inline std::uint64_t cased_cyrillic(const Block& block) {
    const std::uint64_t firsts =
        (block.eq('\xd0') & second(block, 0x80, 0xbf)) | (block.eq('\xd1') & second(block, 0x80, 0x9f));
    return firsts | firsts << 1;
}
inline std::uint64_t upper_cyrillic(const Block& block) {
    const std::uint64_t firsts = block.eq('\xd0') & second(block, 0x80, 0xaf);
    return firsts | firsts << 1;
}

// [一-龥぀-ゟ゠-ヿ], U+4E00 to U+9FA5 and U+3040 to U+30FF: what deepseek_v3 sets apart, letters or not.
inline std::uint64_t ideographs_and_kana(const Block& block) {
    if (block.in_range(0xe3, 0xe9) == 0) return 0;
    const std::uint64_t beyond = second(block, 0xbf, 0xbf) | (second(block, 0xbe, 0xbe) & third(block, 0xa6, 0xbf));
    const std::uint64_t firsts = (block.eq('\xe3') & second(block, 0x81, 0x83)) |
                                 (block.eq('\xe4') & second(block, 0xb8, 0xbf)) | block.in_range(0xe5, 0xe8) |
                                 (block.eq('\xe9') & ~beyond);
    return three_bytes(firsts & second(block, 0x80, 0xbf) & third(block, 0x80, 0xbf));
}
