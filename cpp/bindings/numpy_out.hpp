// Results -> numpy arrays that own them, without a copy.
#pragma once

#include <pybind11/numpy.h>

#include <cstring>
#include <memory>
#include <vector>

#include "encode/id_sink.hpp"

namespace fissile::bindings {

namespace py = pybind11;

// An uninitialised array (n,); PyArray_NewFromDescr directly, since single calls are timed in nanoseconds.
template <class T>
py::array empty_array(std::size_t n) {
    auto& api = py::detail::npy_api::get();
    static PyObject* const descr = py::dtype::of<T>().release().ptr();  // immortal, as numpy's own is
    Py_INCREF(descr);
    auto size = static_cast<Py_intptr_t>(n);
    auto array = py::reinterpret_steal<py::array>(
        api.PyArray_NewFromDescr_(api.PyArray_Type_, descr, 1, &size, nullptr, nullptr, 0, nullptr));
    if (!array) throw py::error_already_set();
    return array;
}

template <class T>
py::array copy_to_numpy(const T* values, std::size_t n) {
    py::array array = empty_array<T>(n);
    if (n != 0) std::memcpy(py::detail::array_proxy(array.ptr())->data, values, n * sizeof(T));
    return array;
}

// uint32 (n,)
inline py::array to_numpy(IdArray&& ids) {
    auto held = std::make_unique<IdArray>(std::move(ids));
    held->shrink();
    const TokenId* const data = held->data();
    const auto n = static_cast<py::ssize_t>(held->size());
    py::capsule owner(held.release(), [](void* array) { delete static_cast<IdArray*>(array); });
    return py::array_t<TokenId>(n, data, owner);
}

// The vector's own memory, (n,)
template <class T>
py::array_t<T> to_numpy(std::vector<T>&& values) {
    auto held = std::make_unique<std::vector<T>>(std::move(values));
    T* const data = held->data();
    const auto n = static_cast<py::ssize_t>(held->size());
    py::capsule owner(held.release(), [](void* vector) { delete static_cast<std::vector<T>*>(vector); });
    return py::array_t<T>(n, data, owner);
}

}  // namespace fissile::bindings
