// Normalisation form C by Python's unicodedata, for text that the core's check could not pass.
#pragma once

#include <cstdint>
#include <vector>

#include "base.hpp"

namespace fissile::bindings {

// Puts NFC of the text into `normalized`, or returns false where the text stays as it is. Bytes that are not UTF-8 have
// no normal form: text with some stays. Takes the GIL.
bool python_nfc(Bytes text, std::vector<std::uint8_t>& normalized);

}  // namespace fissile::bindings
