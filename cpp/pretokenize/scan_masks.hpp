// The pretokenizers as algebra on 64-bit masks, one bit a byte: all the pretoken starts of 64 bytes at once.
//
// Compiled once for each ISA, inside its isa_*.cpp, which provides `Block` (64 bytes, compared) and `flatten`. No
// include guard.
//
// The patterns have no look-behind, so a pretoken's start is all the state there is. Each block therefore begins at a
// pretoken start, wherever that lies in memory; the last start found in it that nothing behind the block can change
// begins the next block. No run is carried from block to block. What the algebra leaves out, and pretokens longer than
// a block, go through scan_scalar.hpp one at a time.
//
// Bytes of a character that is not ASCII all carry its class. With L, N, W, R, O the masks of letters, numbers, white
// space, newlines and others, a run starts at X & ~(X << 1); "the bits of m reached upwards from t" is ((m + t) ^ m) &
// m.

struct Classes {
    std::uint64_t letter, upper, either;  // either: Lm, Lo and M, which end neither kind of case
    std::uint64_t mark, number, space, newline, blank, apostrophe, slash;
    std::uint64_t inside;  // bytes of a character after its first
    std::size_t n;         // bytes classified: up to the end of the last whole character
};

// Classes of the characters that are not ASCII: by groups, and what is in none of them one by one.
template <class P>
inline void classify_wide(const Block& block, const std::uint8_t* text, std::size_t n_left, Classes& c) {
    std::uint64_t letters, others = 0;
    if constexpr (P::kCasedLetters) {
        letters = cased_cyrillic(block);
        c.upper |= upper_cyrillic(block);
    } else {
        letters = cyrillic(block);
    }
    if (block.in_range(0xe3, 0xed) != 0) {
        const WideGroups groups = wide_groups(block);
        c.either |= groups.letters;
        letters |= groups.letters;
        others = groups.others;
    }
    c.letter |= letters;
    c.inside |= (letters | others) & block.in_range(0x80, 0xbf);
    std::uint64_t pending = block.in_range(0x80, 0xff) & below(c.n) & ~(letters | others);
    while (pending != 0) {
        const unsigned at = lowest(pending);
        const Char ch = decode_char(text + at, n_left - at);
        if (at + ch.n_bytes > 64) {
            c.n = at;
            break;
        }
        const std::uint64_t bytes = below(ch.n_bytes) << at;
        pending &= ~bytes;
        c.inside |= bytes & (bytes << 1);
        const std::uint8_t flags = char_flags(ch.code_point);
        if ((flags & kLetter) != 0) {
            c.letter |= bytes;
            if ((flags & kUpper) != 0) c.upper |= bytes;
            if ((flags & kOtherLetter) != 0) c.either |= bytes;
        } else if ((flags & kNumber) != 0) {
            c.number |= bytes;
        } else if ((flags & kSpace) != 0) {
            c.space |= bytes;
        } else if ((flags & kMark) != 0) {
            c.mark |= bytes;
        }
    }
    const std::uint64_t valid = below(c.n);
    c.letter &= valid;
    c.upper &= valid;
    c.either &= valid;
    c.inside &= valid;
}

template <class P>
inline Classes classify(const Block& block, const std::uint8_t* text, std::size_t n_left) {
    Classes c;
    c.n = n_left < 64 ? n_left : 64;
    c.letter = block.letters();
    c.upper = P::kCasedLetters ? block.in_range('A', 'Z') : 0;
    c.number = block.in_range('0', '9');
    c.blank = block.eq(' ');
    c.space = c.blank | block.in_range('\t', '\r');
    c.newline = block.eq('\n') | block.eq('\r');
    c.apostrophe = block.eq('\'');
    c.slash = P::kOtherTail == patterns::OtherTail::kNewlinesSlashes ? block.eq('/') : 0;
    c.either = c.mark = c.inside = 0;
    if (block.any_high()) classify_wide<P>(block, text, n_left, c);
    return c;
}

// Starts of the numbers' groups.
template <class P>
inline std::uint64_t number_starts(const Classes& c, std::uint64_t runs) {
    if constexpr (P::kMaxDigits == 1) return c.number & ~c.inside;
    std::uint64_t starts = runs;
    if constexpr (P::kMaxDigits == 3) {
        // A fourth digit in a row: every third one starts a group.
        const std::uint64_t fourth = c.number & (c.number << 1) & (c.number << 2) & (c.number << 3);
        for (std::uint64_t next = (starts << 3) & fourth; next != 0; next = (next << 3) & fourth) starts |= next;
    }
    return starts;
}

// What one block yields: the starts in it that are certain (bit 0 always among them), and whether it is for the
// algebra.
struct Starts {
    std::uint64_t mask;
    bool handled;
};

template <class P>
inline Starts starts_in(const std::uint8_t* text, std::size_t n_left, Classes c, bool at_end) {
    using namespace patterns;
    constexpr bool kAnyPrefix = P::kLetterPrefix == LetterPrefix::kAny;
    const std::uint64_t valid = below(c.n);
    std::uint64_t certain = kAll;  // starts that what follows the block cannot change

    if constexpr (P::kCasedLetters) {
        if (c.mark != 0) {
            // A mark after a letter is part of the word. Elsewhere it may be a prefix, a letter or an "other".
            const std::uint64_t attached = flood(c.letter << 1, c.mark);
            if (attached != c.mark) return {1, false};
            c.letter |= c.mark;
            c.either |= c.mark;
        }
    }
    const std::uint64_t W = c.space & valid, R = c.newline & valid, L = c.letter, N = c.number & valid;
    std::uint64_t O = valid & ~(L | N | W);
    if (P::kMaxDigits == 3 && (N & c.inside) != 0) return {1, false};  // groups are counted in bytes below

    // Newlines right after others belong to them; for o200k slashes too, from the first newline on.
    // Here and below, a block mostly has some or none of a thing as it happens: steps that do nothing then are quicker
    // than a jump over them.
    std::uint64_t absorbed = 0;
    if constexpr (P::kOtherTail != OtherTail::kNone) {
        const std::uint64_t first = R & (O << 1);
        std::uint64_t tail = R;
        if constexpr (P::kOtherTail == OtherTail::kNewlinesSlashes) {
            tail |= c.slash & valid;
            // Two runs of newlines in one tail would be two floods in one run.
            if ((first & (c.slash << 1)) != 0 && (c.slash & (R << 1)) != 0) return {1, false};
        }
        const std::uint64_t after_absorbed = (tail + first) & ~tail;
        absorbed = after_absorbed - first;  // from each first up to what comes after it; up to bit 63 for the last
        O &= ~absorbed;
    }

    // White space: a run, after its last newline, and its last character unless that is a newline or the text's end.
    const std::uint64_t space_left = W & ~absorbed;
    std::uint64_t starts = run_starts(space_left);
    std::uint64_t last = W & ~(W >> 1);  // last bytes of runs
    if ((W & c.inside) != 0) {
        // Wide white space: its first byte is the start.
        std::uint64_t moved = 0;
        for (std::uint64_t ends = last & c.inside; ends != 0; ends &= ends - 1) {
            moved |= bit(highest(~c.inside & below(lowest(ends))));
        }
        last = (last & ~c.inside) | moved;
    }
    // A run that ends with the block: what follows decides where it is cut, and after it where text ends.
    const auto trailing_from = static_cast<unsigned>(highest(~W & valid) + 1);
    const std::uint64_t trailing = valid & ~below(trailing_from);
    std::uint64_t splittable = space_left;
    if (!at_end) certain = below(trailing_from + 1);
    if (at_end) {
        last &= ~trailing;
        if (P::kFinalSpaceWhole) splittable &= ~trailing;
    }
    if constexpr (P::kNewlinesEndSpace) {
        starts |= last & ~R & ~absorbed;
        std::uint64_t after_newline = (R << 1) & splittable & ~R & ~absorbed;
        // Only after the last newline of a run: none may follow in the same run.
        const std::uint64_t plain = space_left & ~R;
        const std::uint64_t beyond = (plain + (after_newline & plain)) & ~plain;
        if ((beyond & R & splittable) == 0) [[likely]] {
            starts |= after_newline;
        } else {
            for (; after_newline != 0; after_newline &= after_newline - 1) {
                const std::uint64_t from = after_newline & (~after_newline + 1);
                if (((plain + from) & ~plain & R) == 0) starts |= from;
            }
        }
    } else {
        starts |= last;
    }

    // Others: ' ' in front joins them.
    const std::uint64_t other_runs = run_starts(O);
    const std::uint64_t other_starts = other_runs & ~(c.blank << 1);
    // Letters.
    const std::uint64_t letter_runs = run_starts(L);
    std::uint64_t letter_starts;
    std::uint64_t after_single = 0;
    if constexpr (kAnyPrefix) {
        // A lone other that starts a pretoken is the prefix of the letters behind it, and so is white space.
        const std::uint64_t tail_bytes = c.inside & O;
        const std::uint64_t second = other_starts << 1;
        after_single =
            tail_bytes == 0 ? second : (second & ~tail_bytes) | (((second & tail_bytes) + tail_bytes) & ~tail_bytes);
        letter_starts = letter_runs & ~(after_single & ~O) & ~((W & ~R) << 1);
    } else {
        letter_starts = letter_runs & ~(c.blank << 1);
    }
    const std::uint64_t number_runs = P::kMaxDigits == 0 ? run_starts(N) & ~(c.blank << 1) : run_starts(N);
    starts |= other_starts | letter_starts | number_starts<P>(c, number_runs);

    if constexpr (P::kCasedLetters) {
        const std::uint64_t lower = L & ~c.upper & ~c.either;
        const std::uint64_t seen_lower = lower | flood(lower << 1, c.either & L);
        starts |= c.upper & ~c.inside & (seen_lower << 1);
        // Capitals at the end of a word that has letters of both kinds in front of them stand alone.
        for (std::uint64_t at = c.upper & ~c.inside & (c.either << 1) & ~starts; at != 0; at &= at - 1) {
            const std::uint64_t from = at & (~at + 1);
            const std::uint64_t end = (c.upper + from) & ~c.upper & ~(below(lowest(from)));
            const std::uint64_t after = end & (~end + 1);
            if (after == 0 || (after & valid) == 0) {
                if (at_end) {
                    starts |= from;
                } else {
                    certain &= from - 1;
                    break;
                }
            } else if ((after & L) == 0) {
                starts |= from;
            }
        }
    }

    // Contractions.
    if constexpr (P::kContractions == Contractions::kSuffix) {
        std::size_t last_end = 64;
        for (std::uint64_t at = c.apostrophe & (L << 1) & valid; at != 0; at &= at - 1) {
            const unsigned i = lowest(at);
            if (!at_end && i + 4 > c.n) {
                certain &= below(i);
                break;
            }
            if (i == last_end) continue;  // what is before it is a contraction's end, not a word
            const std::size_t letters = scalar::contraction_letters({text, n_left}, i + 1, true);
            if (letters == 0) continue;
            last_end = i + 1 + letters;
            starts &= ~(below(last_end) & ~below(i));  // nothing within the contraction starts a word
            if (last_end >= 64) continue;
            if ((bit(last_end) & c.either) != 0) return {1, false};  // a word of both cases begins anew
            starts |= bit(last_end) & L;
        }
    } else {
        for (std::uint64_t at = c.apostrophe & other_starts & (L >> 1); at != 0; at &= at - 1) {
            const unsigned i = lowest(at);
            const std::size_t letters =
                scalar::contraction_letters({text, n_left}, i + 1, P::kContractions == Contractions::kAnyCase);
            if (letters == 0) continue;
            if constexpr (!kAnyPrefix) starts &= ~bit(i + 1);
            if (i + 1 + letters < 64) starts |= bit(i + 1 + letters) & L;
        }
    }
    return {(starts & valid & certain) | 1, true};
}

template <class P>
ScanResult scan_masks(Bytes bytes, std::size_t position, std::uint32_t* ends, std::size_t capacity) {
    const scalar::Text text{bytes.data(), bytes.size()};
    std::size_t n = 0;
    while (position < text.size && n + 64 <= capacity) {
        const std::uint8_t* const at = text.bytes + position;
        const std::size_t n_left = text.size - position;
        const Block block = n_left >= 64 ? Block::load(at) : Block::load_partial(at, n_left);
        const Classes classes = classify<P>(block, at, n_left);
        const bool at_end = classes.n == n_left;
        const Starts found = starts_in<P>(at, n_left, classes, at_end);
        const std::uint64_t inner = found.mask & ~std::uint64_t{1};
        if (!found.handled || (inner == 0 && !at_end)) {
            // One pretoken by the definition; after a block that is not for the algebra, as many as it covers.
            const std::size_t stop = found.handled ? position + 1 : position + 48;
            do {
                position = scalar::next_end<P>(text, position);
                ends[n++] = static_cast<std::uint32_t>(position);
            } while (position < stop && position < text.size);
            continue;
        }
        flatten(inner, static_cast<std::uint32_t>(position), ends + n);
        n += static_cast<std::size_t>(std::popcount(inner));
        if (at_end) {
            position = text.size;
            ends[n++] = static_cast<std::uint32_t>(position);
        } else {
            position += highest(inner);
        }
    }
    return {n, position};
}
