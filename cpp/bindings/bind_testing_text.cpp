// _core._testing: the Unicode tables and the check for NFC, for the tests.
#include <pybind11/pybind11.h>

#include "bindings/bindings.hpp"
#include "bindings/numpy_out.hpp"
#include "bindings/python_nfc.hpp"
#include "text/nfc_check.hpp"
#include "text/unicode_class.hpp"
#include "text/word_class.hpp"

namespace fissile::bindings {

namespace {

std::uint8_t is_word(std::uint32_t code_point) { return is_word_character(code_point) ? 1 : 0; }

template <std::uint8_t (*value_of)(std::uint32_t)>
py::array of_every_code_point() {
    std::vector<std::uint8_t> values(kCodePointEnd);
    for (std::uint32_t c = 0; c < kCodePointEnd; ++c) values[c] = value_of(c);
    return copy_to_numpy(values.data(), values.size());
}

bool is_nfc(const py::bytes& text) { return is_nfc_quick(as_bytes(std::string_view(text))); }

py::bytes nfc(const py::bytes& text) {
    std::vector<std::uint8_t> normalized;
    if (!python_nfc(as_bytes(std::string_view(text)), normalized)) return text;
    const std::string_view chars = as_chars(normalized);
    return py::bytes(chars.data(), chars.size());
}

}  // namespace

void bind_testing_text(py::module_& m) {
    py::module_ testing = m.def_submodule("_testing");
    testing.def("char_flags", &of_every_code_point<char_flags>);
    testing.def("nfc_classes", &of_every_code_point<nfc_class>);
    testing.def("word_characters", &of_every_code_point<is_word>);
    testing.def("is_nfc_quick", &is_nfc, py::arg("text"));
    testing.def("nfc", &nfc, py::arg("text"));
}

}  // namespace fissile::bindings
