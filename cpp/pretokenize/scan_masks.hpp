// The pretokenizers as algebra on 64-bit masks, one bit a byte: all the pretoken starts of 64 bytes at once.
//
// Compiled once for each ISA, inside its isa_*.cpp, which provides `Block` (64 bytes, compared) and `flatten`. No
// include guard.
//
// The patterns have no look-behind, so a pretoken's start is all the state there is. Each block therefore begins at a
// pretoken start, wherever that lies in memory; the last start found in it that nothing behind the block can change
// begins the next block. No run is carried from block to block. Pretokens longer than a block go through long_runs.hpp,
// and what the algebra leaves out through scan_scalar.hpp, one at a time.
//
// With L, N, W, R, O the masks of letters, numbers, white space, newlines and others, a run starts at X & ~(X << 1);
// "the bits of m reached upwards from t" is ((m + t) ^ m) & m.

// What one block yields: the starts in it that are certain (bit 0 always among them), and whether it is for the
// algebra.
struct Starts {
    std::uint64_t mask;
    bool handled;
};

// Inlined by order, as what gcc chooses by itself changes with the file.
template <class P>
[[gnu::always_inline]] inline Starts starts_in(const std::uint8_t* text, std::size_t n_left, ClassesOf<P> c,
                                               bool at_end) {
    using namespace patterns;
    constexpr bool kAnyPrefix = P::kLetterPrefix == LetterPrefix::kAny;
    const std::uint64_t valid = below(c.n);

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
    const std::uint64_t F = c.line_feed & valid;
    std::uint64_t O = valid & ~(L | N | W | c.han);
    if (c.odd_han != 0) return {1, false};                             // in a run of Han, in a number or among others
    if (P::kMaxDigits == 3 && (N & c.inside) != 0) return {1, false};  // groups are counted in bytes below

    const Tails tail = tails<P>(R & (O << 1), R, c.slash & valid, F);
    if (!tail.handled) return {1, false};
    O &= ~tail.bytes;

    const SpaceStarts spaces = space_starts<P>(W, R, F, tail.bytes, c.inside, P::kDigitsApart ? N : 0, c.n, at_end);
    std::uint64_t starts = spaces.starts;
    std::uint64_t certain = spaces.certain;  // starts that what follows the block cannot change

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
    starts |= other_starts | letter_starts | number_starts<P>(N, c.inside, number_runs) | run_starts(c.han);

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
            const std::size_t letters = scalar::contraction_letters({text, n_left, P::kReading}, i + 1, true);
            if (letters == 0) continue;
            last_end = i + 1 + letters;
            starts &= ~(below(last_end) & ~below(i));  // nothing within the contraction starts a word
            if (last_end >= 64) continue;
            if ((bit(last_end) & c.either) != 0) return {1, false};  // a word of both cases begins anew
            starts |= bit(last_end) & L;
        }
    } else if constexpr (P::kContractions != Contractions::kNone) {
        for (std::uint64_t at = c.apostrophe & other_starts & (L >> 1); at != 0; at &= at - 1) {
            const unsigned i = lowest(at);
            const std::size_t letters = scalar::contraction_letters({text, n_left, P::kReading}, i + 1,
                                                                    P::kContractions == Contractions::kAnyCase);
            if (letters == 0) continue;
            if constexpr (!kAnyPrefix) starts &= ~bit(i + 1);
            if (i + 1 + letters < 64) starts |= bit(i + 1 + letters) & L;
        }
    }
    return {(starts & valid & certain) | 1, true};
}

template <class P>
ScanResult scan_masks(Bytes bytes, std::size_t position, std::uint32_t* ends, std::size_t capacity) {
    const auto text = scalar::text_of<P>(bytes);
    std::size_t n = 0;
    while (position < text.size && n + 64 <= capacity) {
        const std::uint8_t* const at = text.bytes + position;
        const std::size_t n_left = text.size - position;
        const Block block = next_block(at, n_left);
        const ClassesOf<P> classes = classify<P>(block, at, n_left);
        const bool at_end = classes.n == n_left;
        const Starts found = starts_in<P>(at, n_left, classes, at_end);
        const std::uint64_t inner = found.mask & ~std::uint64_t{1};
        if (found.handled && inner == 0 && !at_end) {
            if (const std::size_t end = long_pretoken_end<P>(text, position); end != 0) {
                position = end;
                ends[n++] = static_cast<std::uint32_t>(position);
                continue;
            }
        }
        if (!found.handled || (inner == 0 && !at_end)) {
            // One pretoken by the definition; after a block that is not for the algebra, as many as it covers.
            const std::size_t stop = found.handled ? position + 1 : position + 48;
            scalar::Pretokens<P> pretokens(text);
            do {
                position = pretokens.end_of(position);
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
