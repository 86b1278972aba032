// Ids and offsets as an Arrow array, through the C data interface (arrow.apache.org/docs/format/CDataInterface.html):
// a large_list of unsigned integers over numpy's own memory.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>

#include "bindings/bindings.hpp"
#include "bindings/offsets_in.hpp"

// The two structures of the interface, as its specification defines them.
struct ArrowSchema {
    const char* format;
    const char* name;
    const char* metadata;
    std::int64_t flags;
    std::int64_t n_children;
    ArrowSchema** children;
    ArrowSchema* dictionary;
    void (*release)(ArrowSchema*);
    void* private_data;
};
struct ArrowArray {
    std::int64_t length;
    std::int64_t null_count;
    std::int64_t offset;
    std::int64_t n_buffers;
    std::int64_t n_children;
    const void** buffers;
    ArrowArray** children;
    ArrowArray* dictionary;
    void (*release)(ArrowArray*);
    void* private_data;
};

namespace fissile::bindings {

namespace {

// A schema or array with its one child in one block, owned by the parent.
struct SchemaPair {
    ArrowSchema child{};
    ArrowSchema* children[1];
};

struct ArrayPair {
    ArrowArray child{};
    ArrowArray* children[1];
    const void* list_buffers[2];   // validity (none), offsets
    const void* value_buffers[2];  // validity (none), values
    py::object ids, offsets;       // keep the memory alive
};

// A child is released with its parent; by itself it has nothing to free.
template <class T>
void release_child(T* child) {
    child->release = nullptr;
}

void release_schema(ArrowSchema* schema) {
    delete static_cast<SchemaPair*>(schema->private_data);
    schema->release = nullptr;
}

void release_array(ArrowArray* array) {
    // A consumer may let go on any thread.
    const py::gil_scoped_acquire gil;
    delete static_cast<ArrayPair*>(array->private_data);
    array->release = nullptr;
}

// A capsule that releases what nobody took out of it.
template <class T>
py::capsule capsule_of(std::unique_ptr<T> value, const char* name) {
    return py::reinterpret_steal<py::capsule>(PyCapsule_New(value.release(), name, [](PyObject* capsule) {
        auto* const held = static_cast<T*>(PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule)));
        if (held->release != nullptr) held->release(held);
        delete held;
    }));
}

py::tuple arrow_large_list(const py::array& ids, const OffsetsIn& offsets) {
    const py::dtype dtype = ids.dtype();
    const char* format = nullptr;
    if (dtype.kind() == 'u') format = dtype.itemsize() == 4 ? "I" : dtype.itemsize() == 2 ? "S" : nullptr;
    if (format == nullptr || (ids.flags() & py::array::c_style) == 0) {
        throw py::type_error("ids must be a contiguous array of uint16 or uint32, found " +
                             std::string(format == nullptr ? py::str(dtype) : py::str("one with gaps")));
    }
    check_offsets(offsets, static_cast<std::size_t>(ids.size()));  // arrays can be written to since they were checked
    auto schema = std::make_unique<ArrowSchema>();
    auto schema_pair = std::make_unique<SchemaPair>();
    schema_pair->child.format = format;
    schema_pair->child.name = "item";
    schema_pair->child.release = release_child<ArrowSchema>;
    schema_pair->children[0] = &schema_pair->child;
    *schema = {"+L", "", nullptr, 0, 1, schema_pair->children, nullptr, release_schema, nullptr};
    schema->private_data = schema_pair.release();

    auto array = std::make_unique<ArrowArray>();
    auto array_pair = std::make_unique<ArrayPair>();
    array_pair->ids = ids;
    array_pair->offsets = offsets;
    array_pair->list_buffers[0] = nullptr;
    array_pair->list_buffers[1] = offsets.data();
    array_pair->value_buffers[0] = nullptr;
    array_pair->value_buffers[1] = ids.data();
    array_pair->child = {ids.size(), 0, 0, 2, 0, array_pair->value_buffers, nullptr, nullptr, release_child<ArrowArray>,
                         nullptr};
    array_pair->children[0] = &array_pair->child;
    *array = {offsets.size() - 1, 0,      0, 2, 1, array_pair->list_buffers, array_pair->children, nullptr,
              release_array,      nullptr};
    array->private_data = array_pair.release();
    return py::make_tuple(capsule_of(std::move(schema), "arrow_schema"), capsule_of(std::move(array), "arrow_array"));
}

}  // namespace

void bind_arrow(py::module_& m) {
    m.def("arrow_large_list", &arrow_large_list, py::arg("ids"), py::arg("offsets"));
    m.def("check_offsets", &check_offsets, py::arg("offsets"), py::arg("n_ids"),
          "Number of documents; ValueError unless they lie within n_ids ids, one behind the other.");
}

}  // namespace fissile::bindings
