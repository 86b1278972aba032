// Whether a text is surely in Unicode normalisation form C, decided without composing anything.
#pragma once

#include "base.hpp"

namespace fissile {

// True: NFC leaves the text as it is. False: it may change it. Bytes that are not UTF-8 are starters that never change.
bool is_nfc_quick(Bytes text) noexcept;

}  // namespace fissile
