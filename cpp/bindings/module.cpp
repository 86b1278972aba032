// fissile._core: what the module is made of.
#include <pybind11/pybind11.h>

#include "base.hpp"
#include "bindings/bindings.hpp"
#include "bindings/error_out.hpp"

namespace py = pybind11;

namespace {

// OSError, or that of its subclasses which is about this code: FileNotFoundError, PermissionError, ...
void set_os_error(const fissile::SystemError& error) {
#if defined(_WIN32)
    const py::tuple arguments = py::make_tuple(0, error.reason(), error.path(), error.code());
#else
    // A path is bytes, which need not be UTF-8.
    const auto path = py::reinterpret_steal<py::object>(
        PyUnicode_DecodeFSDefaultAndSize(error.path().data(), static_cast<Py_ssize_t>(error.path().size())));
    if (!path) throw py::error_already_set();
    const py::tuple arguments = py::make_tuple(error.code(), error.reason(), path);
#endif
    const py::object exception = py::reinterpret_borrow<py::object>(PyExc_OSError)(*arguments);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() = "The compiled core of fissile. Use the names of the fissile package instead.";
    // FileError is a ValueError that Python code can tell from others; errors.py gives it its public name.
    static py::exception<fissile::FileError> file_error(m, "TokenizerFileError", PyExc_ValueError);
    // NOLINTNEXTLINE(performance-unnecessary-value-param): the type of a translator
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const fissile::FileError& error) {
            fissile::bindings::set_error(file_error.ptr(), error.what());
        } catch (const fissile::SystemError& error) {
            set_os_error(error);
        } catch (const fissile::Error& error) {
            fissile::bindings::set_error(PyExc_ValueError, error.what());
        }
    });
    fissile::bindings::bind_text(m);
    fissile::bindings::bind_vocab(m);
    fissile::bindings::bind_stochastic(m);
    fissile::bindings::bind_encode(m);
    fissile::bindings::bind_decode(m);
    fissile::bindings::bind_arrow(m);
    fissile::bindings::bind_train(m);
    fissile::bindings::bind_count(m);
    fissile::bindings::bind_testing(m);
    fissile::bindings::bind_testing_text(m);
}
