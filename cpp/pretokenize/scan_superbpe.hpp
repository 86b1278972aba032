// superbpe as masks, one bit a byte: the starts in 64 bytes at once.
//
// Compiled once for each ISA after scan_masks.hpp, whose classes it takes. No include guard.
//
// What lies between two matches is a pretoken too, often longer than a block: so a block need not begin where a
// pretoken does, but only where the pattern is tried anew whatever stood before. That is so at every letter, which no
// match holds, and at the first digit of a run. The last such place in a block begins the next one.

inline Starts superbpe_starts(const Classes& c, bool at_end) {
    const std::uint64_t valid = below(c.n);
    const std::uint64_t W = c.space & valid, R = c.newline & valid, B = c.blank & valid, N = c.number & valid;
    const std::uint64_t O = valid & ~(c.letter | N | W);
    const std::uint64_t wide = O & c.inside;
    if ((N & c.inside) != 0) return {1, false};  // groups are counted in bytes below

    const std::uint64_t number_runs = run_starts(N);
    std::uint64_t starts = number_starts<patterns::Superbpe>(c, number_runs) | (N << 1 & ~N);

    // Two others or more, a space in front and newlines behind: `second` is where the second of them is.
    const std::uint64_t other_runs = run_starts(O);
    std::uint64_t second = other_runs << 1 & O;
    std::uint64_t long_runs = other_runs & O >> 1;
    if (wide != 0) {
        second = ((other_runs << 1 & ~wide) | (((other_runs << 1 & wide) + wide) & ~wide)) & O;
        const std::uint64_t two = wide >> 1, three = two & wide >> 2, four = three & wide >> 3;
        long_runs = other_runs & (second >> 1 | (second >> 2 & two) | (second >> 3 & three) | (second >> 4 & four));
    }
    std::uint64_t others_end = (O + second) & ~O;
    if (const std::uint64_t tail = R & others_end; tail != 0) {
        if ((c.slash & R << 1) != 0) return {1, false};  // the slash may be of the tail, what follows begins anew
        others_end = (others_end & ~tail) | ((R + tail) & ~R);
    }
    starts |= (long_runs & ~(B << 1)) | (long_runs >> 1 & B) | others_end;

    // Spaces but for the last one, or all of them in front of other white space and at the end.
    const std::uint64_t blank_runs = run_starts(B), last = B & ~(B >> 1);
    std::uint64_t whole = last & W >> 1;
    if (at_end) whole |= last & bit(c.n - 1);
    starts |= (blank_runs & (B >> 1 | whole)) | (last & ~blank_runs & ~whole) | whole << 1;
    return {starts & valid, true};
}

inline ScanResult scan_superbpe(Bytes bytes, std::size_t position, std::uint32_t* ends, std::size_t capacity) {
    using P = patterns::Superbpe;
    const scalar::Text text{bytes.data(), bytes.size()};
    constexpr std::size_t kAhead = 2048;
    std::size_t n = 0;
    std::size_t span_start = position;
    while (position < text.size && n + 64 <= capacity) {
        const std::uint8_t* const at = text.bytes + position;
        const std::size_t n_left = text.size - position;
        // Each call reads a few thousand bytes, too few for the processor to see where they lead to.
        prefetch(at + (n_left < kAhead ? n_left - 1 : kAhead));
        const Block block = n_left >= 64 ? Block::load(at) : Block::load_partial(at, n_left);
        const Classes classes = classify<P>(block, at, n_left);
        const bool at_end = classes.n == n_left;
        const Starts found = superbpe_starts(classes, at_end);
        const std::uint64_t inner = found.mask & ~std::uint64_t{1};
        if (found.handled && at_end) {
            flatten(inner, static_cast<std::uint32_t>(position), ends + n);
            n += static_cast<std::size_t>(std::popcount(inner));
            ends[n++] = static_cast<std::uint32_t>(text.size);
            return {n, text.size};
        }
        const std::uint64_t number = classes.number & below(classes.n);
        const std::uint64_t anew = ((classes.letter & ~classes.inside) | run_starts(number)) & ~std::uint64_t{1};
        if (found.handled && anew != 0) {
            const unsigned next = highest(anew);
            const std::uint64_t certain = inner & below(next + 1);
            flatten(certain, static_cast<std::uint32_t>(position), ends + n);
            n += static_cast<std::size_t>(std::popcount(certain));
            if (certain != 0) span_start = position + highest(certain);
            position += next;
            continue;
        }
        // As many pretokens by the definition as the block covers.
        const std::size_t stop = position + 48;
        if (position > span_start && scalar::superbpe_match_end(text, position, text.at(position)) != 0) {
            ends[n++] = static_cast<std::uint32_t>(position);
        }
        do {
            position = scalar::next_end<P>(text, position);
            ends[n++] = static_cast<std::uint32_t>(position);
        } while (position < stop && position < text.size);
        span_start = position;
    }
    return {n, span_start};
}
