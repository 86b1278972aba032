// Merges as arrays (m, 3) of uint32: left, right, what they make.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstring>
#include <string>
#include <vector>

#include "vocab/vocabulary.hpp"

namespace fissile::bindings {

namespace py = pybind11;

static_assert(sizeof(Merge) == 3 * sizeof(TokenId));

// The first n merges.
inline py::array_t<TokenId> merges_array(const std::vector<Merge>& merges, std::size_t n) {
    py::array_t<TokenId> array({static_cast<py::ssize_t>(n), py::ssize_t{3}});
    if (n != 0) std::memcpy(array.mutable_data(), merges.data(), n * sizeof(Merge));
    return array;
}

// Of such an array, or the bytes of one.
inline std::vector<Merge> merges_in(const py::buffer& buffer, const char* name) {
    const py::buffer_info info = buffer.request();
    if (PyBytes_Check(buffer.ptr()) ? info.size % static_cast<py::ssize_t>(sizeof(Merge)) != 0
                                    : info.ndim != 2 || info.shape[1] != 3) {
        throw py::value_error(name + std::string(" must be of shape (n, 3)"));
    }
    if (!PyBytes_Check(buffer.ptr()) && !info.item_type_is_equivalent_to<TokenId>()) {
        throw py::type_error(name + std::string(" must be of uint32"));
    }
    std::vector<Merge> merges(static_cast<std::size_t>(info.size * info.itemsize) / sizeof(Merge));
    if (merges.empty()) return merges;
    const auto n_bytes = static_cast<Py_ssize_t>(merges.size() * sizeof(Merge));
    if (PyBuffer_ToContiguous(merges.data(), info.view(), n_bytes, 'C') != 0) throw py::error_already_set();
    return merges;
}

}  // namespace fissile::bindings
