// Ctrl-C in long calls of the core.
#pragma once

#include <pybind11/pybind11.h>

#include "base.hpp"

namespace fissile::bindings {

namespace py = pybind11;

// What an Interrupt asks: false once a Python signal handler has raised.
inline bool check_signals() {
    const py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() == 0;
}

// Runs a call; if it was cancelled by a signal, what the handler raised goes on.
template <class Call>
auto until_interrupted(const Call& call) {
    try {
        return call();
    } catch (const Cancelled&) {
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        throw;
    }
}

}  // namespace fissile::bindings
