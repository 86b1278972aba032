// Python texts -> views: str in any of its forms, bytes, and buffers, without copies.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "encode/batch.hpp"

namespace fissile::bindings {

namespace py = pybind11;

// View of a str or bytes, or of a buffer that `hold` keeps open; `name` is what errors call the argument.
// The object must outlive the view.
TextView view_of(PyObject* text, const std::string& name, std::vector<py::buffer_info>& hold);

// A sequence or iterable of texts: views, and what keeps their memory alive.
struct Texts {
    explicit Texts(py::handle iterable);

    std::vector<TextView> views;

   private:
#ifndef Py_GIL_DISABLED
    void take_list(PyObject* list);
#endif

    py::object sequence_;  // a list or tuple made by or given to us: owns the items
    std::vector<py::buffer_info> buffers_;
};

}  // namespace fissile::bindings
