// What a tokenizer leaves to Python: normalizers and pre-tokenizers that the core does not have.
#pragma once

#include <pybind11/pybind11.h>

#include "encode/encoder.hpp"

namespace fissile::bindings {

// Calls normalize(text, with_sources) -> (bytes, whether the first character stays first, sources or None).
TextSteps::Normalize python_normalize(pybind11::function normalize);

// Calls split(text, first, with_sources) -> (bytes, ends, sources or None). Ends int64 (k,), not descending. Sources
// int64 (n,): for each byte the place of the character of the text that it stands for.
TextSteps::Split python_split(pybind11::function split);

}  // namespace fissile::bindings
