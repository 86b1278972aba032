// _core.Decoder, and lists of Python ints from arrays of ids.
//
// decode is a raw method, as a text of some kilobytes is decoded within a microsecond.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <mutex>

#include "bindings/arguments_in.hpp"
#include "bindings/bindings.hpp"
#include "bindings/garbage_pause.hpp"
#include "bindings/gil_pause.hpp"
#include "bindings/offsets_in.hpp"
#include "bindings/raw_method.hpp"
#include "cpu/prefetch.hpp"
#include "cpu/raw_vector.hpp"
#include "encode/decoder.hpp"
#include "text/units_from_utf8.hpp"

namespace fissile::bindings {

namespace {

// Keeps other threads from changing a list where Python has no GIL to do so.
class LockedList {
   public:
#if defined(Py_GIL_DISABLED)
    explicit LockedList(PyObject* list) { PyCriticalSection_Begin(&section_, list); }
    ~LockedList() { PyCriticalSection_End(&section_); }

   private:
    PyCriticalSection section_;
#else
    explicit LockedList(PyObject*) {}
#endif
   public:
    LockedList(const LockedList&) = delete;
    LockedList& operator=(const LockedList&) = delete;
};

// Ids given as an array of any integer type, or as a sequence of ints. An array of uint32 is read where it lies, and
// other threads may write to it, unless the ids are to be the decoder's own.
class Ids {
   public:
    Ids(py::handle ids, bool own) {
        if (py::isinstance<py::array>(ids)) {
            from_array(py::reinterpret_borrow<py::array>(ids), own);
        } else if (PyList_Check(ids.ptr()) || PyTuple_Check(ids.ptr())) {
            from_sequence(ids);
        } else if (PyLong_Check(ids.ptr())) {
            throw py::type_error("ids must be a sequence or an array of ints, not one int");
        } else if (PyObject_CheckBuffer(ids.ptr()) != 0) {
            from_array(py::array::ensure(ids), own);
        } else {
            if (Py_TYPE(ids.ptr())->tp_iter == nullptr && PySequence_Check(ids.ptr()) == 0) {
                throw py::type_error(std::string("ids must be a sequence or an array of ints, not ") +
                                     Py_TYPE(ids.ptr())->tp_name);
            }
            const auto list = py::reinterpret_steal<py::object>(PySequence_List(ids.ptr()));
            if (!list) throw py::error_already_set();
            from_sequence(list);
        }
    }
    const TokenId* data() const { return data_; }
    std::size_t size() const { return size_; }

   private:
    void from_array(const py::array& array, bool own) {
        const py::dtype dtype = array.dtype();
        if (array.ndim() != 1 || (array.size() != 0 && dtype.kind() != 'u' && dtype.kind() != 'i')) {
            throw py::type_error("ids must be a one-dimensional array of integers, found shape " +
                                 std::string(py::str(array.attr("shape"))) + " of " + std::string(py::str(dtype)));
        }
        size_ = static_cast<std::size_t>(array.size());
        if (dtype.kind() == 'u' && dtype.itemsize() == 4 && (array.flags() & py::array::c_style) != 0) {
            data_ = static_cast<const TokenId*>(array.data());
            if (own) {
                own_.assign(data_, data_ + size_);
                data_ = own_.data();
            } else {
                owner_ = array;
            }
            return;
        }
        const auto wide = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>::ensure(array);
        if (!wide) throw py::error_already_set();
        own_.resize(size_);
        for (std::size_t i = 0; i < size_; ++i) own_[i] = checked(wide.data()[i], i);
        data_ = own_.data();
    }

    // A list may change while it is read: by what an item's __index__ does, and by other threads where Python has no
    // GIL. So it is locked, and copied before any Python code runs.
    void from_sequence(py::handle sequence) {
        if (PyList_Check(sequence.ptr()) == 0) {
            take_items(sequence.ptr());
            return;
        }
        {
            const LockedList lock(sequence.ptr());
            if (take_items(sequence.ptr())) return;
        }
        const auto items = py::reinterpret_steal<py::object>(PyList_AsTuple(sequence.ptr()));
        if (!items) throw py::error_already_set();
        take_items(items.ptr());
    }

    // False if there is a list with an item that only Python code could turn into an int.
    bool take_items(PyObject* fast) {
        size_ = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(fast));
        own_.resize(size_);
        // The ints lie wherever they were made: without a hint, each would be waited for.
        constexpr std::size_t kAhead = 48;
        for (std::size_t i = 0; i < size_; ++i) {
            if (i + kAhead < size_) prefetch(PySequence_Fast_GET_ITEM(fast, static_cast<Py_ssize_t>(i + kAhead)));
            PyObject* const item = PySequence_Fast_GET_ITEM(fast, static_cast<Py_ssize_t>(i));
            std::int64_t value = 0;
            if (PyLong_CheckExact(item)) [[likely]] {
#if PY_VERSION_HEX >= 0x030C0000
                if (PyUnstable_Long_IsCompact(reinterpret_cast<PyLongObject*>(item)) != 0) {
                    value = PyUnstable_Long_CompactValue(reinterpret_cast<PyLongObject*>(item));
                } else {
                    value = wide_value(item, i);
                }
#else
                // One digit of 30 bits, positive: every id that a vocabulary can have.
                value = Py_SIZE(item) == 1
                            ? static_cast<std::int64_t>(reinterpret_cast<PyLongObject*>(item)->ob_digit[0])
                        : Py_SIZE(item) == 0 ? 0
                                             : wide_value(item, i);
#endif
            } else if (PyList_Check(fast) != 0) {
                return false;
            } else {
                const auto index = py::reinterpret_steal<py::object>(PyNumber_Index(item));
                if (!index) {
                    PyErr_Clear();
                    throw py::type_error("ids[" + std::to_string(i) + "] must be an int, not " +
                                         Py_TYPE(item)->tp_name);
                }
                value = wide_value(index.ptr(), i);
            }
            own_[i] = checked(value, i);
        }
        data_ = own_.data();
        return true;
    }

    static std::int64_t wide_value(PyObject* item, std::size_t i) {
        int overflow = 0;
        const long long value = PyLong_AsLongLongAndOverflow(item, &overflow);
        if (overflow != 0)
            throw py::key_error("ids[" + std::to_string(i) + "] is no token's id: it has more than 63 bits");
        return value;
    }

    static TokenId checked(std::int64_t value, std::size_t i) {
        if (value < 0 || value > kMaxTokenId) {
            throw py::key_error("ids[" + std::to_string(i) + "] is " + std::to_string(value) +
                                ", which is no token's id");
        }
        return static_cast<TokenId>(value);
    }

    py::object owner_;
    RawVector<TokenId> own_;
    const TokenId* data_ = nullptr;
    std::size_t size_ = 0;
};

// Fewer ids than this are decoded without letting go of the GIL, which would cost more than it gives.
constexpr std::size_t kKeepGilIds = 2048;

// Memory of a thread that texts are decoded into, kept between calls up to some size. No Python code runs while it is
// in use.
class DecodedBytes {
   public:
    DecodedBytes() : bytes_(kept()) {}
    ~DecodedBytes() {
        if (bytes_.capacity() > kMostKept) RawVector<std::uint8_t>().swap(bytes_);
    }
    DecodedBytes(const DecodedBytes&) = delete;
    DecodedBytes& operator=(const DecodedBytes&) = delete;
    RawVector<std::uint8_t>& operator*() const { return bytes_; }

   private:
    static constexpr std::size_t kMostKept = std::size_t{1} << 20;
    static RawVector<std::uint8_t>& kept() {
        static thread_local RawVector<std::uint8_t> bytes;
        return bytes;
    }
    RawVector<std::uint8_t>& bytes_;
};

// A Decoder, and the Python ints of the vocabulary's ids, made when first needed.
class PyDecoder {
   public:
    PyDecoder(std::shared_ptr<Vocabulary> vocabulary, const std::string& leading_space,
              const std::unordered_map<TokenId, py::bytes>& texts)
        : core_(std::move(vocabulary), leading_of(leading_space), {texts.begin(), texts.end()}) {}

    py::bytes decode_bytes(py::handle ids, py::handle skip_special_tokens) const {
        const bool skip_special = truth(skip_special_tokens, "skip_special_tokens");
        const Ids given(ids, core_.reads_ids_twice());
        const DecodedBytes bytes;
        decode_ids(given, skip_special, *bytes);
        return {reinterpret_cast<const char*>((*bytes).data()), (*bytes).size()};
    }

    py::str decode(py::handle ids, const char* errors, bool skip_special) const {
        const Ids given(ids, core_.reads_ids_twice());
        RawVector<std::uint8_t> not_utf8;
        {
            const DecodedBytes bytes;
            decode_ids(given, skip_special, *bytes);
            if (const py::object text = from_utf8(*bytes)) return py::reinterpret_borrow<py::str>(text);
            not_utf8 = *bytes;
        }
        return repaired(not_utf8, errors);
    }

    py::list decode_batch(py::handle ids, const OffsetsIn& offsets, py::handle errors,
                          py::handle skip_special_tokens) const {
        const char* const handler = error_handler(errors);
        const bool skip_special = truth(skip_special_tokens, "skip_special_tokens");
        const Ids all(ids, core_.reads_ids_twice());
        const std::size_t n = check_offsets(offsets, all.size());
        const std::int64_t* const begin = offsets.data();
        py::list texts(n);
        RawVector<std::uint8_t> bytes;
        for (std::size_t i = 0; i < n; ++i) {
            run(all.data() + begin[i], static_cast<std::size_t>(begin[i + 1] - begin[i]), skip_special, bytes);
            const py::object text = from_utf8(bytes);
            texts[i] = text ? text : repaired(bytes, handler);
        }
        return texts;
    }

    // One list of ints a document. Every id's int exists once, so a list costs a pointer and a reference count a token.
    py::list to_lists(const py::array_t<TokenId, py::array::c_style | py::array::forcecast>& ids,
                      const OffsetsIn& offsets) {
        const std::size_t n = check_offsets(offsets, static_cast<std::size_t>(ids.size()));
        const TokenId* const all = ids.data();
        const std::int64_t* const begin = offsets.data();
        make_ints();
        const GarbagePause pause;
        py::list lists(n);
        for (std::size_t i = 0; i < n; ++i) {
            PyList_SET_ITEM(lists.ptr(), static_cast<Py_ssize_t>(i), to_list(all + begin[i], begin[i + 1] - begin[i]));
        }
        return lists;
    }

   private:
    static LeadingSpace leading_of(const std::string& name) {
        if (name == "keep") return LeadingSpace::kKeep;
        if (name == "drop_one") return LeadingSpace::kDropOne;
        if (name == "drop_in_first_token") return LeadingSpace::kDropInFirstToken;
        if (name == "drop_in_first_piece") return LeadingSpace::kDropInFirstPiece;
        if (name == "drop_in_empty_text") return LeadingSpace::kDropInEmptyText;
        throw py::value_error("no way to decode a leading space is named '" + name + "'");
    }

    void run(const TokenId* ids, std::size_t n, bool skip_special, RawVector<std::uint8_t>& out) const {
        try {
            core_.decode(ids, n, skip_special, out);
        } catch (const UnknownId& error) {
            throw py::key_error(error.what());
        }
    }

    void decode_ids(const Ids& ids, bool skip_special, RawVector<std::uint8_t>& out) const {
        if (ids.size() < kKeepGilIds) {
            run(ids.data(), ids.size(), skip_special, out);
            return;
        }
        const GilPause pause;
        try {
            core_.decode(ids.data(), ids.size(), skip_special, out);
        } catch (const UnknownId& error) {
            const py::gil_scoped_acquire acquire;
            throw py::key_error(error.what());
        }
    }

    // A str; none if the bytes are not UTF-8, or memory is short.
    static py::object from_utf8(Bytes bytes) {
        if (bytes.empty()) return py::str();  // no new str: CPython shares the empty one
        const Utf8Shape shape = utf8_shape(bytes);
        auto text =
            py::reinterpret_steal<py::object>(PyUnicode_New(static_cast<Py_ssize_t>(shape.n_chars), shape.max_char));
        if (text && fill(text.ptr(), shape, bytes)) return text;
        PyErr_Clear();
        return {};
    }

    // What from_utf8 does not give: CPython knows what `errors` asks for.
    static py::str repaired(Bytes bytes, const char* errors) {
        PyObject* const text = PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(bytes.data()),
                                                    static_cast<Py_ssize_t>(bytes.size()), errors);
        if (text == nullptr) throw py::error_already_set();
        return py::reinterpret_steal<py::str>(text);
    }

    // False if the bytes are not UTF-8.
    static bool fill(PyObject* text, Utf8Shape shape, Bytes bytes) {
        void* const units = PyUnicode_DATA(text);
        switch (shape.max_char) {
            case 0x7f:
                std::copy(bytes.begin(), bytes.end(), static_cast<std::uint8_t*>(units));
                return true;
            case 0xff:
                return units_from_utf8(bytes, static_cast<std::uint8_t*>(units));
            case 0xffff:
                return units_from_utf8(bytes, static_cast<std::uint16_t*>(units));
            default:
                return units_from_utf8(bytes, static_cast<std::uint32_t*>(units));
        }
    }

    void make_ints() {
        const std::lock_guard guard(making_ints_);
        for (std::size_t id = ints_.size(); id < core_.vocabulary().n_vocab(); ++id) ints_.push_back(py::int_(id));
    }

    PyObject* to_list(const TokenId* ids, Py_ssize_t n) const {
        PyObject* const list = PyList_New(n);
        if (list == nullptr) throw py::error_already_set();
        for (Py_ssize_t i = 0; i < n; ++i) {
            PyObject* item = nullptr;
            const TokenId id = ids[i];
            if (id < ints_.size()) [[likely]] {
                item = ints_[id].ptr();
                Py_INCREF(item);
            } else {
                item = PyLong_FromUnsignedLong(id);
            }
            PyList_SET_ITEM(list, i, item);
        }
        return list;
    }

    Decoder core_;
    std::mutex making_ints_;
    std::vector<py::object> ints_;
};

bool is_named(PyObject* keyword, const char* name) { return PyUnicode_CompareWithASCIIString(keyword, name) == 0; }

PyObject* decode(PyObject* self, PyObject* const* args, Py_ssize_t n_args, PyObject* names) noexcept {
    return raw_call([&] {
        if (n_args > 2) throw py::type_error("decode() takes two positional arguments, ids and errors");
        PyObject* ids = n_args > 0 ? args[0] : nullptr;
        PyObject* errors = n_args > 1 ? args[1] : nullptr;
        PyObject* skip_special = nullptr;
        const Py_ssize_t n_names = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
        for (Py_ssize_t i = 0; i < n_names; ++i) {
            PyObject* const name = PyTuple_GET_ITEM(names, i);
            PyObject** const place = is_named(name, "skip_special_tokens") ? &skip_special
                                     : is_named(name, "ids")               ? &ids
                                     : is_named(name, "errors")            ? &errors
                                                                           : nullptr;
            if (place == nullptr || *place != nullptr) {
                throw py::type_error("decode() got an unexpected or a second '" + std::string(py::str(name)) + "'");
            }
            *place = args[n_args + i];
        }
        if (ids == nullptr) throw py::type_error("decode() needs ids");
        const char* const handler = errors == nullptr ? "replace" : error_handler(errors);
        const bool skips = skip_special != nullptr && truth(skip_special, "skip_special_tokens");
        return value_of<PyDecoder>(self).decode(ids, handler, skips).release().ptr();
    });
}

PyMethodDef decode_method =
    raw_method("decode", decode, "decode($self, ids, errors='replace', *, skip_special_tokens=False)\n--\n\n");

}  // namespace

void bind_decode(py::module_& m) {
    py::class_<PyDecoder> type(m, "Decoder", "Turns ids back into text.");
    type.def(py::init<std::shared_ptr<Vocabulary>, std::string, std::unordered_map<TokenId, py::bytes>>(),
             py::arg("vocabulary"), py::kw_only(), py::arg("leading_space") = "keep",
             py::arg("texts") = std::unordered_map<TokenId, py::bytes>())
        .def("decode_bytes", &PyDecoder::decode_bytes, py::arg("ids"), py::kw_only(),
             py::arg("skip_special_tokens") = false)
        .def("decode_batch", &PyDecoder::decode_batch, py::arg("ids"), py::arg("offsets"),
             py::arg("errors") = "replace", py::kw_only(), py::arg("skip_special_tokens") = false)
        .def("to_lists", &PyDecoder::to_lists, py::arg("ids"), py::arg("offsets"));
    add_method(type, decode_method);
}

}  // namespace fissile::bindings
