// What long calls have in common: threads, Ctrl-C and progress.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "bindings/gil_pause.hpp"
#include "cpu/interrupt.hpp"

namespace fissile::bindings {

namespace py = pybind11;

// What an Interrupt asks: false after Ctrl-C, with the exception set. Takes the GIL.
inline bool check_signals() {
    const py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() == 0;
}

// An argument `threads`; None: one a CPU.
inline unsigned thread_count(py::handle threads) {
    if (threads.is_none()) return std::max(1u, std::thread::hardware_concurrency());
    const auto whole = py::reinterpret_steal<py::object>(
        PyIndex_Check(threads.ptr()) != 0 && !PyBool_Check(threads.ptr()) ? PyNumber_Index(threads.ptr()) : nullptr);
    if (!whole) {
        PyErr_Clear();
        throw py::type_error(std::string("threads must be an int or None, not ") + Py_TYPE(threads.ptr())->tp_name);
    }
    const Py_ssize_t n = PyNumber_AsSsize_t(whole.ptr(), nullptr);  // what does not fit becomes the next that does
    if (n < 1 || n > 4096) {
        throw py::value_error("threads must be None or from 1 to 4096, not " + std::string(py::str(whole)));
    }
    return static_cast<unsigned>(n);
}

// As check_signals, and calls `progress`, unless it is None, with what `done` returns, at most every 50 ms. An
// exception that it raises ends the work.
template <class Done>
auto check_signals_and_report(const py::object& progress, Done done) {
    using Clock = std::chrono::steady_clock;
    return [&progress, done, next = Clock::now()]() mutable {
        const py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) return false;
        if (progress.is_none() || Clock::now() < next) return true;
        next = Clock::now() + std::chrono::milliseconds(50);
        try {
            progress(done());
        } catch (py::error_already_set& error) {
            error.restore();
            return false;
        }
        return true;
    };
}

// Runs a call; if an Interrupt ended it, raises what a signal handler or `progress` has raised.
template <class Call>
auto until_interrupted(const Call& call) {
    try {
        return call();
    } catch (const Cancelled&) {
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        throw;
    }
}

// The same for a call of the core without the GIL.
template <class Call>
auto without_gil(const Call& call) {
    return until_interrupted([&] {
        const GilPause pause;
        return call();
    });
}

}  // namespace fissile::bindings
