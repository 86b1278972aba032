// Places where a text can be cut without changing its ids, found 64 bytes at a time: a coarse form of ExactCuts.
//
// Each ASCII byte has two sets of at most eight classes, one for standing left of a place and one for standing right
// of it. Two bytes are joined if the sets have a class in common, so a look-up each and an "and" decide. The classes
// come from a vocabulary (cut_classes_of) and cover every pair of bytes that some token holds side by side; what they
// join beyond that only misses a cut. Between two characters that are not ASCII no cut is made at all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base.hpp"
#include "pretokenize/pretokenizer.hpp"

namespace fissile {

struct CutClasses {
    static constexpr std::size_t kMost = 7;  // of ASCII characters on the left; the eighth is for all other characters
    static constexpr std::uint8_t kWideLeft = 0x80;

    alignas(64) std::uint8_t left[128] = {};
    alignas(64) std::uint8_t right[128] = {};
    std::uint8_t right_lead = 0xff;  // first bytes of characters that are not ASCII; their other bytes: all classes
    bool metaspace = false;          // U+2581 is a space
    bool before_spaces = false;      // also cut before every space

    std::uint8_t left_of(std::uint8_t byte) const noexcept { return byte < 0x80 ? left[byte] : kWideLeft; }
    std::uint8_t right_of(std::uint8_t byte) const noexcept {
        return byte < 0x80 ? right[byte] : byte < 0xc0 ? std::uint8_t{0xff} : right_lead;
    }
};

// Whether U+2581 stands at text[at].
inline bool is_metaspace_at(Bytes text, std::size_t at) noexcept {
    return text.size() - at >= 3 && text[at] == 0xe2 && text[at + 1] == 0x96 && text[at + 2] == 0x81;
}

// Whether text is cut in front of text[at]; 0 < at < text.size(). The definition.
inline bool cut_in_front(const CutClasses& classes, Bytes text, std::size_t at) noexcept {
    const bool right_space = text[at] == ' ' || (classes.metaspace && is_metaspace_at(text, at));
    if (right_space && classes.before_spaces) return true;
    const bool left_space = classes.metaspace && at >= 3 && is_metaspace_at(text, at - 3);
    const std::uint8_t left = left_space ? classes.left[' '] : classes.left_of(text[at - 1]);
    return (left & (right_space ? classes.right[' '] : classes.right_of(text[at]))) == 0;
}

// A ScanFunction's contract: ends of the pieces from `position` on, which is the start of a piece.
using ScanCutsFunction = ScanResult (*)(const CutClasses& classes, Bytes text, std::size_t position,
                                        std::uint32_t* ends, std::size_t capacity);

// The scanner for one ISA of this machine.
ScanCutsFunction cut_scanner_for(Isa isa);

}  // namespace fissile
