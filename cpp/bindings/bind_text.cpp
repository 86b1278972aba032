// _core.SentencePieceNormalizer and _core.CharsMap: the tables of characters that models bring along.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "bindings/numpy_out.hpp"
#include "text/charsmap.hpp"

namespace fissile::bindings {

namespace {

CharsMap chars_map(const py::bytes& table, const std::string& source) {
    return CharsMap(as_bytes(std::string_view(table)), source);
}

py::object shortest(const CharsMap& map, const py::bytes& text) {
    const CharsMap::Match match = map.shortest(as_bytes(std::string_view(text)));
    if (match.n_bytes == 0) return py::none();
    return py::bytes(match.replacement.data(), match.replacement.size());
}

std::shared_ptr<SentencePieceNormalizer> normalizer(const py::bytes& table, const std::vector<py::bytes>& pieces,
                                                    bool add_dummy_prefix, bool remove_extra_whitespaces,
                                                    bool whitespace_as_suffix, const std::string& source) {
    std::vector<std::string> protected_pieces(pieces.begin(), pieces.end());
    return std::make_shared<SentencePieceNormalizer>(
        chars_map(table, source), std::move(protected_pieces),
        SentencePieceOptions{add_dummy_prefix, remove_extra_whitespaces, whitespace_as_suffix});
}

py::bytes normalize(const SentencePieceNormalizer& normalizer, const py::bytes& text) {
    std::vector<std::uint8_t> normalized;
    normalizer.normalize(as_bytes(std::string_view(text)), normalized, nullptr);
    return {as_chars(normalized).data(), normalized.size()};
}

}  // namespace

void bind_text(py::module_& m) {
    py::class_<CharsMap>(m, "CharsMap", "The precompiled_charsmap of a SentencePiece model.")
        .def(py::init(&chars_map), py::arg("table"), py::arg("source"))
        .def("shortest", &shortest, py::arg("text"),
             "What replaces the shortest entry that some bytes of text begin with, or None.");
    py::class_<SentencePieceNormalizer, std::shared_ptr<SentencePieceNormalizer>>(
        m, "SentencePieceNormalizer", "Normalises as SentencePiece does, for an Encoder; spaces stay spaces.")
        .def(py::init(&normalizer), py::arg("table"), py::arg("protected_pieces"), py::kw_only(),
             py::arg("add_dummy_prefix"), py::arg("remove_extra_whitespaces"), py::arg("whitespace_as_suffix"),
             py::arg("source"))
        .def("__call__", &normalize, py::arg("text"));
}

}  // namespace fissile::bindings
