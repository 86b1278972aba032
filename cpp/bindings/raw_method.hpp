// Methods put on a class by hand, which take their arguments as CPython has them: pybind11's dispatcher alone takes
// longer than encoding or decoding a short text.
#pragma once

#include <pybind11/pybind11.h>

#include <new>

#include "base.hpp"

namespace fissile::bindings {

namespace py = pybind11;

// The C++ object of a Python one whose class is T's, or derived from it.
template <class T>
T& value_of(PyObject* self) {
    auto* const instance = reinterpret_cast<py::detail::instance*>(self);
    void* const value = instance->get_value_and_holder().value_ptr();
    if (value == nullptr) {
        throw py::type_error(std::string(Py_TYPE(self)->tp_name) + ".__init__ was not called");
    }
    return *static_cast<T*>(value);
}

// The body of a raw method: C++ exceptions become Python's, as pybind11 does for its own.
template <class Body>
PyObject* raw_call(const Body& body) noexcept {
    try {
        return body();
    } catch (py::error_already_set& error) {
        error.restore();
    } catch (const py::builtin_exception& error) {
        error.set_error();
    } catch (const Error& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
    return nullptr;
}

using RawFunction = PyObject* (*)(PyObject* self, PyObject* const* args, Py_ssize_t n_args, PyObject* names) noexcept;

// The definition of a method with positional arguments and keywords.
inline PyMethodDef raw_method(const char* name, RawFunction function, const char* doc) {
    return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)), METH_FASTCALL | METH_KEYWORDS,
            doc};
}

template <class T>
void add_method(py::class_<T>& type, PyMethodDef& method) {
    PyObject* const descriptor = PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), &method);
    if (descriptor == nullptr) throw py::error_already_set();
    type.attr(method.ml_name) = py::reinterpret_steal<py::object>(descriptor);
}

}  // namespace fissile::bindings
