// What the mask scanners of all patterns have in common: groups of digits, newlines behind others, white space.
//
// Compiled once for each ISA, inside its isa_*.cpp; no include guard. Masks are of one block, as in scan_masks.hpp.
//
// A block mostly has some or none of a thing as it happens: steps that do nothing then are quicker than a jump over
// them.

// First bytes of the characters whose last bytes these are.
inline std::uint64_t first_bytes(std::uint64_t last, std::uint64_t inside) {
    for (int i = 0; i < 3; ++i) last = (last & ~inside) | ((last & inside) >> 1);
    return last;
}

// Starts of the numbers' groups.
template <class P>
inline std::uint64_t number_starts(std::uint64_t number, std::uint64_t inside, std::uint64_t runs) {
    if constexpr (P::kMaxDigits == 1) return number & ~inside;
    std::uint64_t starts = runs;
    if constexpr (P::kMaxDigits == 3) {
        // A fourth digit in a row: every third one starts a group.
        const std::uint64_t fourth = number & (number << 1) & (number << 2) & (number << 3);
        for (std::uint64_t next = (starts << 3) & fourth; next != 0; next = (next << 3) & fourth) starts |= next;
    }
    return starts;
}

// Newlines that belong to the others in front of them; slashes too where the pattern says so, from the first newline
// on.
struct Tails {
    std::uint64_t bytes = 0;
    std::uint64_t ends = 0;  // the places behind
    bool handled = true;     // whether it is for the algebra
};

// `first`: newlines right behind others.
template <class P>
inline Tails tails(std::uint64_t first, std::uint64_t newline, std::uint64_t slash, std::uint64_t line_feed) {
    using patterns::OtherTail;
    if constexpr (P::kOtherTail == OtherTail::kNone) return {};
    // Where lines are apart a tail ends with its line feed: a flood goes through what is in front of one.
    const std::uint64_t last = P::kLines ? first & line_feed : 0;
    if constexpr (P::kLines) {
        newline &= ~line_feed;
        first &= ~line_feed;
    }
    std::uint64_t tail = newline;
    if constexpr (P::kOtherTail == OtherTail::kNewlinesSlashes) {
        tail |= slash;
        // Two runs of newlines in one tail would be two floods in one run.
        if ((first & (slash << 1)) != 0 && (slash & (newline << 1)) != 0) return {0, 0, false};
    }
    const std::uint64_t ends = (tail + first) & ~tail;
    if constexpr (P::kLines) {
        const std::uint64_t bytes = (ends - first) | (ends & line_feed) | last;
        return {bytes, (bytes << 1) & ~bytes, true};
    }
    return {ends - first, ends, true};  // from each first up to what comes after it; up to bit 63 for the last
}

struct SpaceStarts {
    std::uint64_t starts;
    std::uint64_t certain;  // where what follows the block changes no start
};

// White space: a run, after its last newline, and its last character unless that is a newline or in front of a place
// where look-ahead sees the end of text: the text's end, or any of `ends`. Where lines are apart, also behind each line
// feed, and what is in front of one is whole. n: bytes classified.
template <class P>
inline SpaceStarts space_starts(std::uint64_t space, std::uint64_t newline, std::uint64_t line_feed,
                                std::uint64_t absorbed, std::uint64_t inside, std::uint64_t ends, std::size_t n,
                                bool at_end) {
    const std::uint64_t space_left = space & ~absorbed;
    std::uint64_t starts = run_starts(space_left), certain = kAll;
    std::uint64_t last = space & ~(space >> 1) & ~(ends >> 1);    // last characters of runs
    if ((space & inside) != 0) last = first_bytes(last, inside);  // wide white space
    // A run that ends with the block: what follows decides where it is cut, and after it where text ends.
    const std::uint64_t not_trailing = P::kLines ? ~space | line_feed : ~space;
    const auto trailing_from = static_cast<unsigned>(highest(not_trailing & below(n)) + 1);
    const std::uint64_t trailing = below(n) & ~below(trailing_from);
    std::uint64_t splittable = space_left;
    if (!at_end) certain = below(trailing_from + 1);
    if (at_end) {
        last &= ~trailing;
        if (P::kFinalSpaceWhole) splittable &= ~trailing;
    }
    if constexpr (P::kNewlinesEndSpace) {
        starts |= last & ~newline & ~absorbed;
        std::uint64_t after_newline = (newline << 1) & splittable & ~newline & ~absorbed;
        // Only after the last newline of a run: none may follow in the same run.
        const std::uint64_t plain = space_left & ~newline;
        const std::uint64_t beyond = (plain + (after_newline & plain)) & ~plain;
        if ((beyond & newline & splittable) == 0) [[likely]] {
            starts |= after_newline;
        } else {
            for (; after_newline != 0; after_newline &= after_newline - 1) {
                const std::uint64_t from = after_newline & (~after_newline + 1);
                if (((plain + from) & ~plain & newline) == 0) starts |= from;
            }
        }
    } else {
        starts |= P::kLines ? last & ~line_feed : last;
    }
    if constexpr (P::kLines) starts |= line_feed << 1;
    return {starts, certain};
}
