// superbpe as algebra on masks: matches are isolated, what lies between them is one pretoken.
//
// Compiled once for each ISA, inside its isa_*.cpp, behind scan_masks.hpp; no include guard.
//
// What lies between is often longer than a block: most sentences hold no match. But whether a match begins at a place
// does not depend on what lies in front of it, so blocks follow each other, and a block may begin at any character
// that no match covers. A match that the block's end might cut begins the next block.

struct Matches {
    std::uint64_t bounds;   // where matches begin and end
    std::size_t n_decided;  // bytes that nothing behind the block can change; the next block begins there
    bool handled;           // whether it is for the algebra
};

inline Matches superbpe_matches(const Classes& c, bool at_end) {
    using P = patterns::Superbpe;
    constexpr Matches kNotHandled = {0, 0, false};
    const std::uint64_t valid = below(c.n);
    const std::uint64_t N = c.number & valid, W = c.space & valid, R = c.newline & valid, B = c.blank & valid;
    std::uint64_t O = valid & ~(c.letter | N | W);
    if ((N & c.inside) != 0) return kNotHandled;  // groups are counted in bytes
    const std::uint64_t numbers = number_starts<P>(N, c.inside, run_starts(N));
    std::uint64_t begins = numbers, ends = (N << 1) & ~N;

    // Others, two or more: the second character of each run. What is behind the run, and behind its tail.
    const std::uint64_t next = run_starts(O) << 1, rest = c.inside & O;
    std::uint64_t second = ((next & ~rest) | (((next & rest) + rest) & ~rest)) & O;
    const std::uint64_t first_newline = R & (O + second) & ~O;
    const Tails tail = tails<P>(first_newline, R, c.slash & valid, 0);
    const std::uint64_t slashes = tail.bytes & O;
    // A tail's last slash and the others behind it were taken for one run.
    if (!tail.handled || (tail.ends & (slashes << 1) & O) != 0) return kNotHandled;
    O &= ~slashes;
    second &= O;
    ends |= ((O + second) & ~O & ~first_newline) | tail.ends;
    // ' ' in front joins them.
    const auto with_blank = [B](std::uint64_t starts) { return (starts & ~(B << 1)) | ((starts >> 1) & B); };
    begins |= with_blank(first_bytes(second >> 1, c.inside));

    // Spaces: all in front of white space or the end, else all but the last.
    const std::uint64_t blank_runs = run_starts(B), last = B & ~(B >> 1);
    const std::uint64_t whole = last & ((W >> 1) | (at_end ? bit(c.n - 1) : 0));
    begins |= blank_runs & ((B >> 1) | whole);
    ends |= (whole << 1) | (last & ~whole & (B << 1));

    // What reaches the block's end begins the next block.
    std::size_t n_decided = c.n;
    if (!at_end && (bit(c.n - 1) & (B | N | O | tail.bytes)) != 0) {
        n_decided = highest(numbers | blank_runs | with_blank(run_starts(O)));
        begins &= below(n_decided);
        ends &= below(n_decided + 1);
    }
    return {(begins | ends) & valid, n_decided, true};
}

template <>
inline ScanResult scan_masks<patterns::Superbpe>(Bytes bytes, std::size_t position, std::uint32_t* ends,
                                                 std::size_t capacity) {
    using P = patterns::Superbpe;
    const auto text = scalar::text_of<P>(bytes);
    std::size_t n = 0;
    std::size_t at = position;  // of the block; a pretoken begins at `position`
    while (position < text.size && n + 64 <= capacity) {
        const std::size_t n_left = text.size - at;
        const Block block = next_block(text.bytes + at, n_left);
        const Classes classes = classify<P>(block, text.bytes + at, n_left);
        Matches found = superbpe_matches(classes, classes.n == n_left);
        if (found.handled && found.n_decided == 0 && all_others<P>(classes)) {
            if (at != position) ends[n++] = static_cast<std::uint32_t>(at);
            position = at = long_others_end<P>(text, at);
            ends[n++] = static_cast<std::uint32_t>(position);
            continue;
        }
        if (!found.handled || found.n_decided == 0) {
            // By the definition: one pretoken; after a block that is not for the algebra, as many as it covers.
            const std::size_t stop = found.handled ? at + 1 : at + 48;
            do {
                at = at == position ? scalar::next_end<P>(text, at) : scalar::superbpe_next_match(text, at);
                position = at;
                ends[n++] = static_cast<std::uint32_t>(position);
            } while (position < stop && position < text.size);
            continue;
        }
        if (at == position) found.bounds &= ~std::uint64_t{1};
        if (found.bounds != 0) {
            flatten(found.bounds, static_cast<std::uint32_t>(at), ends + n);
            n += static_cast<std::size_t>(std::popcount(found.bounds));
            position = at + highest(found.bounds);
        }
        at += found.n_decided;
        if (at == text.size && n < capacity) {
            position = at;
            ends[n++] = static_cast<std::uint32_t>(position);
        }
    }
    return {n, position};
}
