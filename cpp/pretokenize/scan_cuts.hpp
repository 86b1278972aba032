// Cuts by classes as masks, one bit a place: see cut_classes.hpp.
//
// Compiled once for each ISA that can look up 64 bytes at once, inside its isa_*.cpp, which provides `Block` with
// `unjoined`, and `flatten`. No include guard.

inline ScanResult scan_cuts(const CutClasses& classes, Bytes text, std::size_t position, std::uint32_t* ends,
                            std::size_t capacity) {
    if (position >= text.size()) return {0, text.size()};
    const std::uint8_t* const bytes = text.data();
    std::size_t n = 0;
    // Bit i of a mask is the place behind bytes[at + i].
    for (std::size_t at = position; at + 1 < text.size();) {
        if (n + 64 > capacity) return {n, ends[n - 1]};
        const std::size_t n_places = text.size() - at - 1;
        Block left, right;
        std::uint64_t places = kAll;
        if (n_places >= 64) {
            left = Block::load(bytes + at);
            right = Block::load(bytes + at + 1);
        } else {
            left = Block::load_partial(bytes + at, n_places);
            right = Block::load_partial(bytes + at + 1, n_places);
            places = below(n_places);
        }
        std::uint64_t cuts = left.unjoined(right, classes);
        if (classes.before_spaces) cuts |= right.eq(' ');
        if (classes.metaspace && (right.any_high() || bytes[at] >= 0x80)) {
            // Bytes that U+2581 begins and ends with: mostly other characters, such as quotation marks. One may end
            // right in front of a block without any.
            std::uint64_t doubtful = (right.eq('\xe2') | left.eq('\x81')) & places;
            for (; doubtful != 0; doubtful &= doubtful - 1) {
                const unsigned i = lowest(doubtful);
                cuts &= ~bit(i);
                if (cut_in_front(classes, text, at + i + 1)) cuts |= bit(i);
            }
        }
        cuts &= places;
        flatten(cuts, static_cast<std::uint32_t>(at + 1), ends + n);
        n += static_cast<std::size_t>(std::popcount(cuts));
        at += n_places < 64 ? n_places : 64;
    }
    if (n == capacity) return {n, ends[n - 1]};
    ends[n++] = static_cast<std::uint32_t>(text.size());
    return {n, text.size()};
}
