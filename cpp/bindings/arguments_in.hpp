// Arguments that pybind11 could convert itself, but not say what is wrong with in terms of the caller's call.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

namespace fissile::bindings {

namespace py = pybind11;

// A bool of Python or numpy, or what Python takes for one (None, a number).
inline bool truth(py::handle value, const char* name) {
    py::detail::make_caster<bool> caster;
    if (!caster.load(value, true)) {
        PyErr_Clear();
        throw py::type_error(std::string(name) + " must be True or False, not " + Py_TYPE(value.ptr())->tp_name);
    }
    return py::detail::cast_op<bool>(caster);
}

// A name for what happens to bytes that are not UTF-8, as bytes.decode takes it; it is the argument's own.
inline const char* error_handler(py::handle errors) {
    if (!PyUnicode_Check(errors.ptr())) {
        throw py::type_error(std::string("errors must be a str, not ") + Py_TYPE(errors.ptr())->tp_name);
    }
    const char* const name = PyUnicode_AsUTF8(errors.ptr());
    if (name == nullptr) {
        PyErr_Clear();
        throw py::value_error("errors has a lone surrogate: " + std::string(py::repr(errors)));
    }
    return name;
}

}  // namespace fissile::bindings
