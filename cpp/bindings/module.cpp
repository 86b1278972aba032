// fissile._core: what the module is made of.
#include <pybind11/pybind11.h>

#include "base.hpp"
#include "bindings/bindings.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() = "The compiled core of fissile. Use the names of the fissile package instead.";
    // FileError is a ValueError that Python code can tell from others; errors.py gives it its public name.
    static py::exception<fissile::FileError> file_error(m, "TokenizerFileError", PyExc_ValueError);
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const fissile::FileError& error) {
            py::set_error(file_error, error.what());
        } catch (const fissile::Error& error) {
            PyErr_SetString(PyExc_ValueError, error.what());
        }
    });
    fissile::bindings::bind_vocab(m);
    fissile::bindings::bind_stochastic(m);
    fissile::bindings::bind_encode(m);
    fissile::bindings::bind_decode(m);
    fissile::bindings::bind_arrow(m);
    fissile::bindings::bind_testing(m);
    fissile::bindings::bind_testing_text(m);
}
