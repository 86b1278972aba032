// What long calls have in common: threads, Ctrl-C and progress.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
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

inline unsigned thread_count(const std::optional<std::int64_t>& threads) {
    if (!threads) return std::max(1u, std::thread::hardware_concurrency());
    if (*threads < 1 || *threads > 4096) {
        throw py::value_error("threads must be None or from 1 to 4096, not " + std::to_string(*threads));
    }
    return static_cast<unsigned>(*threads);
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
