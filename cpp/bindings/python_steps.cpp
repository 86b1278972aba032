#include "bindings/python_steps.hpp"

#include <pybind11/numpy.h>

namespace fissile::bindings {

namespace py = pybind11;

namespace {

py::bytes python_bytes(Bytes text) { return {as_chars(text).data(), text.size()}; }

void copy_bytes(const py::bytes& from, std::vector<std::uint8_t>& to) {
    const Bytes bytes = as_bytes(std::string_view(from));
    to.assign(bytes.begin(), bytes.end());
}

void copy_numbers(const py::object& from, std::vector<std::int64_t>& to) {
    const auto numbers = py::cast<py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>>(from);
    to.assign(numbers.data(), numbers.data() + numbers.size());
}

// A Python function that threads without the GIL hold on to.
std::shared_ptr<py::function> shared_function(py::function function) {
    return {new py::function(std::move(function)), [](py::function* held) {
                const py::gil_scoped_acquire gil;
                delete held;
            }};
}

}  // namespace

TextSteps::Normalize python_normalize(py::function normalize) {
    return [call = shared_function(std::move(normalize))](
               Bytes text, bool& first, std::vector<std::uint8_t>& normalized, TextSteps::Sources* sources) {
        const py::gil_scoped_acquire gil;
        const auto result = py::cast<py::tuple>((*call)(python_bytes(text), sources != nullptr));
        copy_bytes(py::cast<py::bytes>(py::object(result[0])), normalized);
        first = first && py::cast<bool>(py::object(result[1]));
        if (sources != nullptr) copy_numbers(py::object(result[2]), *sources);
        return true;
    };
}

TextSteps::Split python_split(py::function split) {
    return [call = shared_function(std::move(split))](Bytes text, bool first, std::vector<std::uint8_t>& rewritten,
                                                      std::vector<std::int64_t>& ends, TextSteps::Sources* sources) {
        const py::gil_scoped_acquire gil;
        const auto result = py::cast<py::tuple>((*call)(python_bytes(text), first, sources != nullptr));
        copy_bytes(py::cast<py::bytes>(py::object(result[0])), rewritten);
        copy_numbers(py::object(result[1]), ends);
        if (sources != nullptr) copy_numbers(py::object(result[2]), *sources);
        std::int64_t last = 0;
        for (const std::int64_t end : ends) {
            if (end < last || end > static_cast<std::int64_t>(rewritten.size())) {
                throw Error("a pre-tokenizer cut at byte " + std::to_string(end) + ", expected from " +
                            std::to_string(last) + " to " + std::to_string(rewritten.size()));
            }
            last = end;
        }
    };
}

}  // namespace fissile::bindings
