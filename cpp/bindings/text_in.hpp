// Python texts -> views: str in any of its forms, bytes, and buffers, without copies but of buffers that can be written
// to. Another thread may do that at any time, and what has been found out about some bytes must stay true of them: ids
// made of half of the old and half of the new ones would be remembered for good.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "cpu/raw_vector.hpp"
#include "encode/batch.hpp"

namespace fissile::bindings {

namespace py = pybind11;

// What the view of a buffer looks into.
struct HeldBuffer {
    py::buffer_info open;
    RawVector<std::uint8_t> copy;  // of a buffer that can be written to
};

// View of a str or bytes, or of a buffer that `hold` keeps; `name` is what errors call the argument.
// The object must outlive the view.
TextView view_of(PyObject* text, const std::string& name, std::vector<HeldBuffer>& hold);

// A sequence or iterable of texts: views, and what keeps their memory alive.
struct Texts {
    explicit Texts(py::handle iterable);

    std::vector<TextView> views;

   private:
#ifndef Py_GIL_DISABLED
    void take_list(PyObject* list);
#endif

    py::object sequence_;  // a list or tuple made by or given to us: owns the items
    std::vector<HeldBuffer> buffers_;
};

}  // namespace fissile::bindings
