// The parts of the module; module.cpp lists them.
#pragma once

#include <pybind11/pybind11.h>

namespace fissile::bindings {

namespace py = pybind11;

void bind_text(py::module_& m);
void bind_vocab(py::module_& m);
void bind_encode(py::module_& m);
void bind_decode(py::module_& m);
void bind_arrow(py::module_& m);
void bind_train(py::module_& m);
void bind_count(py::module_& m);
void bind_stochastic(py::module_& m);
void bind_testing(py::module_& m);
void bind_testing_text(py::module_& m);

}  // namespace fissile::bindings
