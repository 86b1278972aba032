// Pretokens that are longer than a block, by masks: a run is passed over block by block, and nothing else is looked at.
//
// Compiled once for each ISA, inside its isa_*.cpp, behind block_classes.hpp; no include guard.
//
// Scripts without spaces have them (one block in ten of Japanese begins one), and so have rules and tables made of
// dashes or spaces. What else is that long goes through scan_scalar.hpp. Not inlined, and classes are asked for again:
// other blocks are not to pay for it.

// The first place from `end` on that is not in the run.
template <class P, class InRun>
inline std::size_t long_run(const scalar::Text& text, std::size_t end, const InRun& in_run) {
    std::size_t n_run, n_block;
    do {
        if (end == text.size) return end;
        const ClassesOf<P> c = classify_at<P>(text, end);
        n_block = c.n;
        n_run = static_cast<std::size_t>(std::countr_one(in_run(c)));
        end += n_run;
    } while (n_run == n_block);
    return end;
}

// Others; with deepseek_v3 those outside of its second split.
template <class P>
inline std::uint64_t others_of(const ClassesOf<P>& c) {
    std::uint64_t not_others = c.letter | c.number | c.space | c.han | c.odd_han;
    if constexpr (P::kCjkApart) not_others |= c.mark | c.unclassed | c.cjk;
    return below(c.n) & ~not_others;
}
// Nothing but others, or ' ' in front of them.
template <class P>
inline bool all_others(const ClassesOf<P>& c) {
    return (others_of<P>(c) | (c.blank & 1)) == below(c.n);
}
// Others and their tail.
template <class P>
inline std::size_t long_others_end(const scalar::Text& text, std::size_t position) {
    const std::size_t first = position + (text.bytes[position] == ' ' ? 1 : 0);
    std::size_t end = long_run<P>(text, first, [](const ClassesOf<P>& c) { return others_of<P>(c); });
    if constexpr (P::kReading == patterns::Reading::kHanApart) {
        // Radicals and the like are others here, which masks keep apart.
        end = scalar::run_end(text, end, [](const scalar::Text::Classified& c) { return c.is_other(); });
    }
    bool in_line = true;
    return scalar::run_end(text, end, [&](const scalar::Text::Classified& c) {
        const bool in_tail = in_line && scalar::is_other_tail(P::kOtherTail, c);
        if (P::kLines && c.code_point == '\n') in_line = false;
        return in_tail;
    });
}

// White space: up to its last newline, or without its last character if something follows.
template <class P>
inline std::size_t long_space_end(const scalar::Text& text, std::size_t position) {
    std::size_t at = position, after_newline = position;
    const auto in_space = [&](const ClassesOf<P>& c) {
        std::uint64_t space = c.space & below(c.n);
        if constexpr (P::kLines) {
            // Up to the line feed, which no run goes over.
            const std::uint64_t line_feeds = c.line_feed & space;
            if (line_feeds != 0) space &= below(lowest(line_feeds));
        }
        const std::uint64_t newlines = c.newline & below(static_cast<std::size_t>(std::countr_one(space)));
        if (newlines != 0) after_newline = at + highest(newlines) + 1;
        at += c.n;
        return space;
    };
    const std::size_t end = long_run<P>(text, position, in_space);
    if (P::kLines && end < text.size && text.bytes[end] == '\n') return end + 1;
    if (P::kFinalSpaceWhole && end == text.size) return end;
    if (P::kNewlinesEndSpace && after_newline > position) return after_newline;
    if (end == text.size) return end;
    if constexpr (P::kCjkApart) {
        if (scalar::deepseek_ends_segment(text.at(end), false)) return end;
    }
    if (P::kDigitsApart && text.at(end).is_number()) return end;
    std::size_t last = end - 1;
    while ((text.bytes[last] & 0xc0) == 0x80) --last;
    return last;
}

// Han; 0 if masks cannot tell.
template <class P>
inline std::size_t long_han_end(const scalar::Text& text, std::size_t position) {
    const std::size_t end = long_run<P>(text, position, [](const ClassesOf<P>& c) { return c.han; });
    return end < text.size && is_han(text.at(end).code_point) ? 0 : end;
}

// Letters, whatever leads them; 0 if masks cannot tell.
template <class P>
inline std::size_t long_word_end(const scalar::Text& text, std::size_t position, const ClassesOf<P>& first) {
    bool in_cjk = false;
    if constexpr (P::kCjkApart) in_cjk = (first.cjk & bit(first.n - 1)) != 0;
    const auto in_word = [in_cjk](const ClassesOf<P>& c) {
        if constexpr (P::kCasedLetters) return c.either;
        if constexpr (P::kCjkApart) return (c.letter | c.mark) & (in_cjk ? c.cjk : ~c.cjk);
        return c.letter;
    };
    if ((in_word(first) & bit(first.n - 1)) == 0) return 0;
    // An apostrophe may begin a contraction, and punctuation leads ASCII letters only.
    if (P::kCasedLetters && first.apostrophe != 0) return 0;
    if constexpr (P::kCjkApart) {
        if (((first.letter | first.mark | first.space | first.unclassed) & 1) == 0) return 0;
    }
    const std::size_t end = long_run<P>(text, position + first.n, in_word);
    if constexpr (P::kCasedLetters) {
        const scalar::Text::Classified next = text.at(end);
        if (next.is_upper_kind() || next.is_lower_kind() || next.code_point == '\'') return 0;
    }
    return end;
}

// End of the pretoken at `position`, of which the algebra says that it is longer than the block there; 0 if masks
// cannot tell.
template <class P>
[[gnu::noinline]] std::size_t long_pretoken_end(const scalar::Text& text, std::size_t position) {
    const ClassesOf<P> c = classify_at<P>(text, position);
    if ((c.space & below(c.n)) == below(c.n)) return long_space_end<P>(text, position);
    if (all_others<P>(c)) return long_others_end<P>(text, position);
    if (c.han == below(c.n)) return long_han_end<P>(text, position);
    return long_word_end<P>(text, position, c);
}
