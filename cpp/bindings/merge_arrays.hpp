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

inline std::vector<Merge> merges_in(const py::array_t<TokenId, py::array::c_style>& array, const char* name) {
    if (array.ndim() != 2 || array.shape(1) != 3) {
        throw py::value_error(name + std::string(" must be of shape (n, 3)"));
    }
    std::vector<Merge> merges(static_cast<std::size_t>(array.shape(0)));
    if (!merges.empty()) std::memcpy(merges.data(), array.data(), merges.size() * sizeof(Merge));
    return merges;
}

}  // namespace fissile::bindings
