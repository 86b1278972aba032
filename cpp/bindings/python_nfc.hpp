// Normalisation form C by Python's unicodedata, for text that the core's check could not pass.
#pragma once

#include <cstdint>
#include <vector>

#include "base.hpp"

namespace fissile::bindings {

// Replaces `normalized` by NFC of the text. Bytes that are not UTF-8 have no normal form: text with some stays as it
// is. Takes the GIL.
void python_nfc(Bytes text, std::vector<std::uint8_t>& normalized);

}  // namespace fissile::bindings
