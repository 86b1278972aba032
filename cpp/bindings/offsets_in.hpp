// Where documents begin in an array of ids, as it comes from outside.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

namespace fissile::bindings {

namespace py = pybind11;

// (n + 1,) int64
using OffsetsIn = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

// The number of documents; ValueError unless each lies within n_ids ids, behind the one before it.
inline std::size_t check_offsets(const OffsetsIn& offsets, std::size_t n_ids) {
    if (offsets.ndim() != 1 || offsets.size() == 0) {
        throw py::value_error("offsets must have one dimension and at least one entry");
    }
    const auto n = static_cast<std::size_t>(offsets.size() - 1);
    const std::int64_t* const at = offsets.data();
    const auto end = static_cast<std::int64_t>(n_ids);
    std::int64_t least = 0;
    for (std::size_t i = 0; i <= n; ++i) {
        if (at[i] < least || at[i] > end) {
            throw py::value_error("offsets[" + std::to_string(i) + "] is " + std::to_string(at[i]) +
                                  ", expected from " + std::to_string(least) + " to " + std::to_string(end) +
                                  ": offsets must ascend within the ids");
        }
        least = at[i];
    }
    return n;
}

}  // namespace fissile::bindings
