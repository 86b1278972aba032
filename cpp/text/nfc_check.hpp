// Where a text may not be in Unicode normalisation form C, found without composing anything.
// "NFC" is that of Unicode 9.0, which is what tokenizers has: see tools/gen_unicode.py.
#pragma once

#include <cstddef>

#include "base.hpp"

namespace fissile {

// True: NFC leaves the text as it is. False: it may change it. Bytes that are not UTF-8 are starters that never change.
bool is_nfc_quick(Bytes text) noexcept;

struct NfcStretch {
    std::size_t begin, end;
};

// The first stretch from `position` on (0, or the end of another) that NFC may change; empty at the end of the text if
// there is none. NFC of the text is NFC of its stretches, and all between them as it is. A stretch is well-formed and
// has no characters newer than Unicode 9.0 that matter, so that a newer normaliser does the same to it.
NfcStretch next_nfc_stretch(Bytes text, std::size_t position) noexcept;

}  // namespace fissile
