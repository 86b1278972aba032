// Classes of the characters of 64 bytes, as masks.
//
// Compiled once for each ISA, inside its isa_*.cpp, behind wide_groups.hpp; no include guard. All bytes of a character
// carry its class.

struct Classes {
    std::uint64_t letter, upper, either;  // either: Lm, Lo and M, which end neither kind of case
    std::uint64_t han, odd_han;  // letters of the script Han, which are none of `letter`, and what else there is of it
    std::uint64_t mark, number, space, newline, blank, apostrophe, slash;
    std::uint64_t line_feed;  // none where lines are not apart
    std::uint64_t inside;     // bytes of a character after its first
    std::size_t n;            // bytes classified: up to the end of the last whole character
};

// Of a pattern that sets ideographs and kana apart.
struct CjkClasses : Classes {
    std::uint64_t cjk;        // [一-龥぀-ゟ゠-ヿ], whatever else it is
    std::uint64_t unclassed;  // controls, formats, not assigned, no character: what is not even punctuation
    std::uint64_t ascii_letter;
};

template <class P>
using ClassesOf = std::conditional_t<P::kCjkApart, CjkClasses, Classes>;

// Classes of the characters that are not ASCII: by groups, and what is in none of them one by one.
template <class P>
[[gnu::always_inline]] inline void classify_wide(const Block& block, const std::uint8_t* text, std::size_t n_left,
                                                 ClassesOf<P>& c) {
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
        if constexpr (P::kReading == patterns::Reading::kHanApart) c.han = ideographs(block);
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
        const std::uint8_t flags = scalar::flags_read(ch.code_point, P::kReading);
        if constexpr (P::kReading == patterns::Reading::kHanApart) {
            if (is_han(ch.code_point)) {
                (flags == scalar::kHanLetter ? c.han : c.odd_han) |= bytes;
                continue;
            }
        }
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
        } else if constexpr (P::kCjkApart) {
            if (flags == 0) c.unclassed |= bytes;
        }
    }
    const std::uint64_t valid = below(c.n);
    if constexpr (P::kReading == patterns::Reading::kHanApart) {
        c.letter &= ~c.han;
        c.either &= ~c.han;
        c.han &= valid;
    }
    c.letter &= valid;
    c.upper &= valid;
    c.either &= valid;
    c.inside &= valid;
}

// Inlined by order, as what gcc chooses by itself changes with the file.
template <class P>
[[gnu::always_inline]] inline ClassesOf<P> classify(const Block& block, const std::uint8_t* text, std::size_t n_left) {
    ClassesOf<P> c;
    c.n = n_left < 64 ? n_left : 64;
    c.letter = block.letters();
    c.upper = P::kCasedLetters ? block.in_range('A', 'Z') : 0;
    c.number = block.in_range('0', '9');
    c.blank = block.eq(' ');
    c.space = c.blank | block.in_range('\t', '\r');
    c.newline = block.eq('\n') | block.eq('\r');
    c.line_feed = P::kLines ? block.eq('\n') : 0;
    c.apostrophe = block.eq('\'');
    c.slash = P::kOtherTail == patterns::OtherTail::kNewlinesSlashes ? block.eq('/') : 0;
    c.either = c.mark = c.inside = c.han = c.odd_han = 0;
    if constexpr (P::kCjkApart) {
        c.ascii_letter = c.letter;
        c.unclassed = ~(block.in_range('!', '~') | c.space | block.in_range(0x80, 0xff));
        c.cjk = ideographs_and_kana(block);
    }
    if (block.any_high()) classify_wide<P>(block, text, n_left, c);
    return c;
}

// The 64 bytes from `at` on, or what is left of the text; what comes later is brought near.
inline Block next_block(const std::uint8_t* at, std::size_t n_left) {
    prefetch(at + (n_left < kTextAhead ? n_left : kTextAhead));
    return n_left >= 64 ? Block::load(at) : Block::load_partial(at, n_left);
}

// Of the block that begins at `position`.
template <class P>
[[gnu::noinline]] ClassesOf<P> classify_at(const scalar::Text& text, std::size_t position) {
    const std::uint8_t* const at = text.bytes + position;
    const std::size_t n_left = text.size - position;
    return classify<P>(next_block(at, n_left), at, n_left);
}
