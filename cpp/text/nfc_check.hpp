// Whether a text is surely in Unicode normalisation form C, decided without composing anything.
#pragma once

#include "base.hpp"

namespace fissile {

// True: NFC leaves the text as it is. False: it may change it.
bool is_nfc_quick(Bytes text) noexcept;

}  // namespace fissile
