// Errors with texts of ours as Python's.
#pragma once

#include <pybind11/pybind11.h>

#include <string_view>

namespace fissile::bindings {

namespace py = pybind11;

// Sets an exception. The text may name a path, which need not be UTF-8.
inline void set_error(PyObject* type, std::string_view text) {
    const auto message = py::reinterpret_steal<py::object>(
        PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape"));
    if (message) PyErr_SetObject(type, message.ptr());
}

}  // namespace fissile::bindings
