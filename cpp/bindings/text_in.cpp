#include "bindings/text_in.hpp"

#include <cstring>
#include <optional>

#include "cpu/prefetch.hpp"

namespace fissile::bindings {

namespace {

RawVector<std::uint8_t> copy_of(const py::buffer_info& buffer) {
    // Copied with the GIL where letting go of it would take longer.
    constexpr std::size_t kKeepGilBytes = std::size_t{1} << 18;
    const auto n_bytes = static_cast<std::size_t>(buffer.size);
    std::optional<py::gil_scoped_release> release;
    if (n_bytes >= kKeepGilBytes) release.emplace();
    RawVector<std::uint8_t> copy(n_bytes);
    if (n_bytes != 0) std::memcpy(copy.data(), buffer.ptr, n_bytes);
    return copy;
}

}  // namespace

TextView view_of(PyObject* text, const std::string& name, std::vector<HeldBuffer>& hold) {
    if (PyUnicode_Check(text)) {
#if PY_VERSION_HEX < 0x030C0000
        if (PyUnicode_READY(text) != 0) throw py::error_already_set();
#endif
        const auto length = static_cast<std::size_t>(PyUnicode_GET_LENGTH(text));
        const void* const data = PyUnicode_DATA(text);
        if (PyUnicode_IS_COMPACT_ASCII(text)) return {data, length, TextKind::kUtf8};
        switch (PyUnicode_KIND(text)) {
            case PyUnicode_1BYTE_KIND:
                return {data, length, TextKind::kLatin1};
            case PyUnicode_2BYTE_KIND:
                return {data, length, TextKind::kUcs2};
            default:
                return {data, length, TextKind::kUcs4};
        }
    }
    if (PyBytes_Check(text)) {
        return {PyBytes_AS_STRING(text), static_cast<std::size_t>(PyBytes_GET_SIZE(text)), TextKind::kUtf8};
    }
    if (PyObject_CheckBuffer(text) != 0) {
        py::buffer_info info = py::reinterpret_borrow<py::buffer>(text).request();
        if (info.itemsize != 1 || PyBuffer_IsContiguous(info.view(), 'C') == 0) {
            throw py::type_error(name + " is a buffer, but not one of contiguous bytes");
        }
        RawVector<std::uint8_t> copy;
        if (!info.readonly) copy = copy_of(info);
        const TextView view{info.readonly ? info.ptr : copy.data(), static_cast<std::size_t>(info.size),
                            TextKind::kUtf8};
        hold.push_back({std::move(info), std::move(copy)});
        return view;
    }
    throw py::type_error(name + " must be str, bytes or a buffer of bytes, not " + Py_TYPE(text)->tp_name);
}

#ifndef Py_GIL_DISABLED
// A list's items, with references of our own, and views of the first of them, up to one that is neither str nor bytes.
// Each item is asked for before it is its turn, and looked at once: it lies somewhere else, and all other threads would
// wait meanwhile.
void Texts::take_list(PyObject* list) {
    constexpr Py_ssize_t kAhead = 16;
    const Py_ssize_t n = PyList_GET_SIZE(list);
    auto tuple = py::reinterpret_steal<py::object>(PyTuple_New(n));
    if (!tuple) throw py::error_already_set();
    views.reserve(static_cast<std::size_t>(n));
    // PyTuple_New may have run a finaliser; from here on no Python code runs.
    if (PyList_GET_SIZE(list) != n) return;
    bool are_plain = true;
    for (Py_ssize_t i = 0; i < n; ++i) {
        if (i + kAhead < n) prefetch(PyList_GET_ITEM(list, i + kAhead));
        PyObject* const item = PyList_GET_ITEM(list, i);
        Py_INCREF(item);
        PyTuple_SET_ITEM(tuple.ptr(), i, item);
        are_plain = are_plain && (PyUnicode_CheckExact(item) || PyBytes_CheckExact(item));
        if (are_plain) views.push_back(view_of(item, {}, buffers_));
    }
    sequence_ = std::move(tuple);
}
#endif

Texts::Texts(py::handle iterable) {
    if (PyUnicode_Check(iterable.ptr()) || PyBytes_Check(iterable.ptr())) {
        throw py::type_error("texts must be a list or another iterable of texts, not one " +
                             std::string(Py_TYPE(iterable.ptr())->tp_name));
    }
    if (Py_TYPE(iterable.ptr())->tp_iter == nullptr && PySequence_Check(iterable.ptr()) == 0) {
        throw py::type_error(std::string("texts must be a list or another iterable of texts, not ") +
                             Py_TYPE(iterable.ptr())->tp_name);
    }
    // A tuple is ours alone: a list could be changed by another thread while its items are in use.
#ifndef Py_GIL_DISABLED
    if (PyList_CheckExact(iterable.ptr())) take_list(iterable.ptr());
#endif
    if (!sequence_) sequence_ = py::reinterpret_steal<py::object>(PySequence_Tuple(iterable.ptr()));
    if (!sequence_) throw py::error_already_set();
    const Py_ssize_t n = PyTuple_GET_SIZE(sequence_.ptr());
    views.reserve(static_cast<std::size_t>(n));
    for (auto i = static_cast<Py_ssize_t>(views.size()); i < n; ++i) {
        PyObject* const item = PyTuple_GET_ITEM(sequence_.ptr(), i);
        if (PyUnicode_Check(item) || PyBytes_Check(item)) {
            views.push_back(view_of(item, {}, buffers_));
        } else {
            views.push_back(view_of(item, "texts[" + std::to_string(i) + "]", buffers_));
        }
    }
}

}  // namespace fissile::bindings
