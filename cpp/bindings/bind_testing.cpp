// _core._testing: kernels one by one, for the tests.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "bindings/numpy_out.hpp"
#include "pretokenize/pretokenizer.hpp"

namespace fissile::bindings {

namespace {

std::vector<std::string> isas() {
    std::vector<std::string> names;
    for (const Isa isa : available_isas()) names.emplace_back(isa_name(isa));
    return names;
}

// Ends of the pretokens of a text, or of its lines, as the scanner of one ISA finds them, `capacity` a call.
py::array scan(const std::string& pattern, const py::bytes& text, const std::string& isa, std::size_t capacity,
               bool lines) {
    const auto known = pattern_from_name(pattern);
    if (!known) throw py::value_error("no pattern is named '" + pattern + "'");
    for (const Isa candidate : available_isas()) {
        if (isa_name(candidate) != isa) continue;
        const ScanFunction function = lines ? line_scanner_for(*known, candidate) : scanner_for(*known, candidate);
        if (function == nullptr) throw py::value_error("pattern '" + pattern + "' has no scanner of lines");
        const Bytes bytes = as_bytes(std::string_view(text));
        std::vector<std::uint32_t> ends;
        for (std::size_t position = 0; position < bytes.size();) {
            const std::size_t n = ends.size();
            ends.resize(n + capacity);
            const ScanResult result = function(bytes, position, ends.data() + n, capacity);
            ends.resize(n + result.n_spans);
            if (result.position <= position) throw py::value_error("the scanner made no progress");
            position = result.position;
        }
        return to_numpy(std::move(ends));
    }
    throw py::value_error("this machine has no ISA '" + isa + "'");
}

}  // namespace

void bind_testing(py::module_& m) {
    py::module_ testing = m.def_submodule("_testing", "Kernels one by one, for the tests.");
    testing.def("isas", &isas);
    testing.def("scan", &scan, py::arg("pattern"), py::arg("text"), py::arg("isa"), py::arg("capacity") = 256,
                py::arg("lines") = false);
}

}  // namespace fissile::bindings
