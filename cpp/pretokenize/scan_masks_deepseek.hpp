// deepseek_v3 as algebra on masks: three splits at once, see patterns.hpp.
//
// Compiled once for each ISA, inside its isa_*.cpp, behind scan_masks.hpp; no include guard.
//
// Where the first two splits cut (numbers; ideographs and kana), the main pattern sees the beginning and the end of a
// text. So nothing leads a run across such a place, and white space in front of one is whole. Beside letters with
// marks, white space and punctuation with symbols there are characters of no class: a run of them is a pretoken but
// for the last, which leads a word.

// Inlined by order, as what gcc chooses by itself changes with the file.
template <class P>
[[gnu::always_inline]] inline Starts deepseek_starts_in(CjkClasses c, bool at_end) {
    const std::uint64_t valid = below(c.n);
    const std::uint64_t N = c.number & valid, W = c.space & valid, R = c.newline & valid, C = c.cjk & valid;
    const std::uint64_t F = c.line_feed & valid;
    const std::uint64_t none = c.unclassed & valid;
    const std::uint64_t words = (c.letter | c.mark) & valid;
    const std::uint64_t punctuation = valid & ~(words | N | W | none);
    // Groups are counted in bytes; characters that are not assigned could lead words among kana.
    if ((N & c.inside) != 0 || (none & C) != 0) return {1, false};

    const std::uint64_t between = punctuation & ~C;
    const Tails tail = tails<P>(R & (between << 1), R, 0, F);
    const SpaceStarts spaces = space_starts<P>(W, R, F, tail.bytes, c.inside, N | C, c.n, at_end);
    std::uint64_t starts = spaces.starts | number_starts<P>(N, c.inside, run_starts(N));
    // Runs of the second split: letters and marks, or a middle dot and the like.
    starts |= run_starts(words & C) | run_starts(punctuation & C);

    // Punctuation: ' ' in front joins it. One ASCII character in front of ASCII letters leads them, and them alone.
    const std::uint64_t punctuation_starts = run_starts(between) & ~(c.blank << 1);
    const std::uint64_t led = (punctuation_starts << 1) & c.ascii_letter;
    const std::uint64_t behind_led = (c.ascii_letter + led) & ~c.ascii_letter;
    // Other words: white space or a character of no class leads them.
    const std::uint64_t runs = run_starts(words & ~C);
    starts |= punctuation_starts | (behind_led & words);
    starts |= runs & ~led & ~((W & ~R) << 1) & ~(none << 1);
    if (none != 0) starts |= run_starts(none) | first_bytes(none & (runs >> 1), c.inside);
    return {(starts & valid & spaces.certain) | 1, true};
}

template <>
[[gnu::always_inline]] inline Starts starts_in<patterns::DeepseekV3>(const std::uint8_t*, std::size_t, CjkClasses c,
                                                                     bool at_end) {
    return deepseek_starts_in<patterns::DeepseekV3>(c, at_end);
}
template <>
[[gnu::always_inline]] inline Starts starts_in<patterns::Lines<patterns::DeepseekV3>>(const std::uint8_t*, std::size_t,
                                                                                      CjkClasses c, bool at_end) {
    return deepseek_starts_in<patterns::Lines<patterns::DeepseekV3>>(c, at_end);
}
