#include "bindings/python_nfc.hpp"

#include <pybind11/pybind11.h>

#include "text/nfc_check.hpp"

namespace fissile::bindings {

namespace py = pybind11;

namespace {

// The str of some bytes; nothing, and no error set, where they are not UTF-8.
py::object decoded(Bytes text) {
    PyObject* const str =
        PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(text.data()), static_cast<Py_ssize_t>(text.size()), nullptr);
    if (str == nullptr) PyErr_Clear();
    return py::reinterpret_steal<py::object>(str);
}

}  // namespace

bool python_nfc(Bytes text, std::vector<std::uint8_t>& normalized) {
    if (is_nfc_quick(text)) return false;
    const py::gil_scoped_acquire gil;
    if (!decoded(text)) return false;
    normalized.clear();
    const auto append = [&](Bytes bytes) { normalized.insert(normalized.end(), bytes.begin(), bytes.end()); };
    const py::object normalize = py::module_::import("unicodedata").attr("normalize");
    for (std::size_t position = 0; position < text.size();) {
        // Only the stretches that may change: the rest may hold characters on which versions of Unicode differ.
        const NfcStretch stretch = next_nfc_stretch(text, position);
        append(text.subspan(position, stretch.begin - position));
        position = stretch.end;
        if (stretch.begin == stretch.end) continue;
        const py::object result = normalize("NFC", decoded(text.subspan(stretch.begin, stretch.end - stretch.begin)));
        Py_ssize_t size = 0;
        const char* const data = PyUnicode_AsUTF8AndSize(result.ptr(), &size);
        if (data == nullptr) throw py::error_already_set();
        append(as_bytes({data, static_cast<std::size_t>(size)}));
    }
    return true;
}

}  // namespace fissile::bindings
