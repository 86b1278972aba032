// _core.Vocabulary: the model, from the parts that formats/ reads out of files.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "bindings/garbage_pause.hpp"
#include "bindings/merge_arrays.hpp"
#include "bindings/numpy_out.hpp"
#include "vocab/model_json.hpp"
#include "vocab/rank_file.hpp"
#include "vocab/string_model.hpp"
#include "vocab/vocabulary.hpp"
#include "vocab/vocabulary_parts.hpp"

namespace fissile::bindings {

namespace {

std::string_view utf8(py::handle text, const char* what, const std::string& source) {
    if (!PyUnicode_Check(text.ptr())) {
        throw FileError(source + ": " + what + " must be a string, found " + Py_TYPE(text.ptr())->tp_name);
    }
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (data == nullptr) {
        PyErr_Clear();
        throw FileError(source + ": " + what + " holds a lone surrogate");
    }
    return {data, static_cast<std::size_t>(size)};
}

// Of a bytes object, as long as that is there.
Bytes bytes_of(py::handle bytes) {
    return {reinterpret_cast<const std::uint8_t*>(PyBytes_AS_STRING(bytes.ptr())),
            static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

TokenId id_of(py::handle value, std::string_view token, const std::string& source) {
    if (!PyLong_Check(value.ptr()) || PyBool_Check(value.ptr())) {
        throw FileError(source + ": id of token '" + std::string(token) + "' must be an integer, found " +
                        Py_TYPE(value.ptr())->tp_name);
    }
    int overflow = 0;
    const long long id = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
    if (overflow != 0 || id < 0 || id > kMaxTokenId) {
        throw FileError(source + ": id of token '" + std::string(token) + "' is " + std::string(py::str(value)) +
                        ", outside 0 to " + std::to_string(kMaxTokenId));
    }
    return static_cast<TokenId>(id);
}

SpecialIds special_ids(const py::dict& special_tokens, const std::string& source) {
    SpecialIds specials;
    for (const auto& [content, id] : special_tokens) {
        const std::string_view text = utf8(content, "a special token", source);
        specials.emplace_back(text, id_of(id, text, source));
    }
    return specials;
}

std::shared_ptr<const Vocabulary> from_ranks(const py::dict& ranks, const py::dict& special_tokens,
                                             const std::string& source) {
    RankTokens tokens;
    for (const auto& [token, rank] : ranks) {
        if (!PyBytes_Check(token.ptr())) {
            throw py::type_error(source + ": tokens must be bytes, found " + Py_TYPE(token.ptr())->tp_name);
        }
        const Bytes bytes = bytes_of(token);
        tokens.add(bytes, id_of(rank, std::string(py::repr(token)), source));
    }
    return vocabulary_from_ranks(tokens, special_ids(special_tokens, source), source);
}

std::shared_ptr<const Vocabulary> from_rank_file(const py::bytes& data, const py::dict& special_tokens,
                                                 const std::string& source) {
    const SpecialIds specials = special_ids(special_tokens, source);
    const std::string_view text = data;
    const py::gil_scoped_release release;
    return vocabulary_from_rank_file(as_bytes(text), specials, source);
}

HfMerge merge_of(py::handle merge, std::size_t index, const std::string& source) {
    if (PyUnicode_Check(merge.ptr())) {
        const std::string_view text = utf8(merge, "a merge", source);
        const std::size_t space = text.find(' ');
        if (space == std::string_view::npos || space == 0 || space + 1 == text.size() ||
            text.find(' ', space + 1) != std::string_view::npos) {
            throw FileError(source + ": merges[" + std::to_string(index) + "] is '" + std::string(text) +
                            "', expected two tokens with one space between them");
        }
        return {text.substr(0, space), text.substr(space + 1)};
    }
    if ((PyList_Check(merge.ptr()) || PyTuple_Check(merge.ptr())) && py::len(merge) == 2) {
        const auto pair = py::reinterpret_borrow<py::sequence>(merge);
        // The containers keep the strings alive: what pair[0] returns is only another reference.
        return {utf8(py::object(pair[0]), "a merge's token", source),
                utf8(py::object(pair[1]), "a merge's token", source)};
    }
    throw FileError(source + ": merges[" + std::to_string(index) + "] must be a string or a pair of strings, found " +
                    Py_TYPE(merge.ptr())->tp_name);
}

// Tokens and merges of a tokenizer.json, as strings of Python objects that it keeps.
struct ModelStrings {
    py::object owners;
    std::unique_ptr<const ModelJson> strings;
};

ModelStrings strings_of(const py::dict& vocab, const py::list& merges, const std::string& source) {
    auto strings = std::make_unique<ModelJson>();
    strings->tokens.reserve(vocab.size());
    for (const auto& [token, id] : vocab) {
        const std::string_view text = utf8(token, "a token", source);
        strings->tokens.add(text, id_of(id, text, source));
    }
    strings->merges.reserve(merges.size());
    for (std::size_t i = 0; i < merges.size(); ++i) strings->merges.push_back(merge_of(merges[i], i, source));
    strings->tokens.index();
    return {py::make_tuple(vocab, merges), std::move(strings)};
}

std::optional<ModelStrings> read_strings(const py::bytes& data) {
    const Bytes file = as_bytes(std::string_view(data));
    std::unique_ptr<const ModelJson> strings;
    {
        const py::gil_scoped_release release;
        strings = read_model_json(file);
    }
    if (strings == nullptr) return std::nullopt;
    return ModelStrings{data, std::move(strings)};
}

std::vector<TokenId> ids_of_added_texts(const ModelStrings& strings, const std::vector<std::string>& texts,
                                        const std::string& source) {
    return ids_of_added(strings.strings->tokens, {texts.begin(), texts.end()}, source);
}

std::vector<HfAddedToken> added_of(const py::list& added_tokens, const std::string& source) {
    std::vector<HfAddedToken> added;
    for (const py::handle item : added_tokens) {
        const auto token = py::cast<py::tuple>(item);
        const std::string_view text = utf8(py::object(token[0]), "an added token", source);
        added.push_back({text, id_of(py::object(token[1]), text, source), py::cast<bool>(token[2])});
    }
    return added;
}

// A model of bytes: its tokens by id, those that only are found in text empty, and its merges by ids.
std::shared_ptr<const Vocabulary> from_tokens(const py::list& tokens, const py::buffer& merges,
                                              const py::list& added_tokens, const std::string& source) {
    std::vector<Merge> list = merges_in(merges, "merges");
    VocabularyBuilder builder(source, ModelOptions{});
    builder.reserve(tokens.size() + added_tokens.size(), tokens.size() * 8);
    for (std::size_t id = 0; id < tokens.size(); ++id) {
        const py::handle token = PyList_GET_ITEM(tokens.ptr(), static_cast<py::ssize_t>(id));
        if (!PyBytes_Check(token.ptr())) throw py::type_error("tokens must be bytes");
        const Bytes bytes = bytes_of(token);
        if (bytes.empty()) {
            builder.add_opaque_token(static_cast<TokenId>(id), bytes);
        } else {
            builder.add_model_token(static_cast<TokenId>(id), bytes);
        }
    }
    for (const HfAddedToken& token : added_of(added_tokens, source)) {
        builder.add_added_token(token.id, as_bytes(token.text), token.special);
    }
    for (const Merge& merge : list) {
        for (const TokenId id : {merge.left, merge.right, merge.result}) {
            if (id >= tokens.size()) throw py::value_error("merges name the id " + std::to_string(id));
        }
    }
    const py::gil_scoped_release release;
    return builder.finish_merges(std::move(list));
}

std::shared_ptr<const Vocabulary> from_merges(const ModelStrings& strings, const py::list& added_tokens,
                                              const std::string& alphabet, bool ignore_merges, bool byte_fallback,
                                              const std::optional<std::string>& unk_token, bool fuse_unk,
                                              const std::string& source) {
    HfModel model;
    if (alphabet != "bytes" && alphabet != "chars" && alphabet != "metaspace") {
        throw py::value_error("alphabet must be 'bytes', 'chars' or 'metaspace', not '" + alphabet + "'");
    }
    model.alphabet = alphabet == "bytes" ? Alphabet::kBytes : Alphabet::kChars;
    model.metaspace = alphabet == "metaspace";
    model.ignore_merges = ignore_merges;
    model.byte_fallback = byte_fallback;
    model.fuse_unk = fuse_unk;
    model.unk_token = unk_token;
    model.added_tokens = added_of(added_tokens, source);
    const py::gil_scoped_release release;
    return vocabulary_from_hf(model, strings.strings->tokens, strings.strings->merges, source);
}

std::shared_ptr<const Vocabulary> from_scores(
    const std::vector<py::bytes>& pieces, const py::array_t<float, py::array::c_style | py::array::forcecast>& scores,
    const py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>& types, bool byte_fallback,
    std::int64_t unk_id, const std::string& source) {
    if (scores.ndim() != 1 || types.ndim() != 1 || static_cast<std::size_t>(scores.size()) != pieces.size() ||
        static_cast<std::size_t>(types.size()) != pieces.size()) {
        throw py::value_error("scores and types must have one entry a piece");
    }
    ScoredPieces scored;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        scored.push_back({std::string(pieces[i]), scores.data()[i], types.data()[i]});
    }
    const py::gil_scoped_release release;
    return vocabulary_from_scores(scored, byte_fallback, unk_id, source);
}

py::bytes token_bytes(const Vocabulary& vocabulary, std::int64_t id) {
    if (id < 0 || id > kMaxTokenId || !vocabulary.has_token(static_cast<TokenId>(id))) {
        throw py::key_error("no token has id " + std::to_string(id));
    }
    const std::string_view bytes = as_chars(vocabulary.token_bytes(static_cast<TokenId>(id)));
    return {bytes.data(), bytes.size()};
}

TokenId token_id(const Vocabulary& vocabulary, const py::bytes& token) {
    const TokenId id = vocabulary.find_any(as_bytes(std::string_view(token)));
    if (id == kNoToken) throw py::key_error("no token is " + std::string(py::repr(token)));
    return id;
}

py::dict special_tokens(const Vocabulary& vocabulary) {
    py::dict specials;
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        if (!vocabulary.is_special(id)) continue;
        const std::string_view text = as_chars(vocabulary.token_bytes(id));
        specials[py::str(text.data(), text.size())] = id;
    }
    return specials;
}

py::array merges(const Vocabulary& vocabulary) { return merges_array(vocabulary.merges(), vocabulary.n_merges()); }

// Two tokens each, in order; merges that have a token in common share its bytes.
py::list merges_as_bytes(const Vocabulary& vocabulary) {
    const GarbagePause pause;
    std::vector<py::object> tokens(vocabulary.n_vocab());
    const auto token = [&](TokenId id) {
        if (!tokens[id]) {
            const std::string_view bytes = vocabulary.has_token(id) ? as_chars(vocabulary.token_bytes(id)) : "";
            tokens[id] = py::bytes(bytes.data(), bytes.size());
        }
        return tokens[id];
    };
    const std::vector<Merge>& merges = vocabulary.merges();
    py::list pairs(merges.size());
    for (std::size_t i = 0; i < merges.size(); ++i)
        pairs[i] = py::make_tuple(token(merges[i].left), token(merges[i].right));
    return pairs;
}

py::array unreachable(const Vocabulary& vocabulary) {
    std::vector<TokenId> ids;
    for (TokenId id = 0; id < vocabulary.n_vocab(); ++id) {
        if (vocabulary.is_model(id) && !vocabulary.is_reachable(id)) ids.push_back(id);
    }
    return to_numpy(std::move(ids));
}

// --- flat arrays, for Fissile's own file form

VocabularyParts::Rule rule_from_name(const std::string& name, const std::string& source) {
    if (name == "ranks") return VocabularyParts::Rule::kRanks;
    if (name == "merges") return VocabularyParts::Rule::kMerges;
    if (name == "scores") return VocabularyParts::Rule::kScores;
    throw FileError(source + ": expected tokens that merge by ranks, merges or scores, found " + name);
}

py::dict to_parts(const Vocabulary& vocabulary, const std::string& rule) {
    VocabularyParts parts = parts_of(vocabulary, rule_from_name(rule, "rule"));
    const ModelOptions& options = vocabulary.options();
    std::vector<TokenId> merges;
    for (const Merge& merge : parts.merges) merges.insert(merges.end(), {merge.left, merge.right, merge.result});
    py::dict arrays;
    arrays["token_data"] = to_numpy(std::move(parts.token_data));
    arrays["token_begin"] = to_numpy(std::move(parts.token_begin));
    arrays["roles"] = to_numpy(std::move(parts.roles));
    arrays["merges"] = to_numpy(std::move(merges));
    arrays["results"] = to_numpy(std::move(parts.results));
    arrays["orders"] = to_numpy(std::move(parts.orders));
    arrays["unused"] = to_numpy(std::move(parts.unused));
    arrays["options"] = to_numpy(std::vector<std::uint32_t>{
        options.alphabet == Alphabet::kBytes ? 0u : 1u, options.metaspace, options.ignore_merges, options.byte_fallback,
        options.fuse_unk, options.unknown_is_error, options.unk});
    return arrays;
}

template <class T>
std::vector<T> vector_of(const py::dict& arrays, const char* name, const std::string& source) {
    if (!arrays.contains(name)) throw FileError(source + ": has no " + name);
    const py::object value = arrays[name];
    if (!py::isinstance<py::array_t<T>>(value)) throw FileError(source + ": " + name + " is of another type");
    const auto array = py::cast<py::array_t<T, py::array::c_style | py::array::forcecast>>(value);
    return {array.data(), array.data() + array.size()};
}

std::shared_ptr<const Vocabulary> from_parts(const py::dict& arrays, const std::string& rule,
                                             const std::string& source) {
    VocabularyParts parts;
    parts.token_data = vector_of<std::uint8_t>(arrays, "token_data", source);
    parts.token_begin = vector_of<std::uint32_t>(arrays, "token_begin", source);
    parts.roles = vector_of<std::uint8_t>(arrays, "roles", source);
    parts.results = vector_of<TokenId>(arrays, "results", source);
    parts.orders = vector_of<std::uint32_t>(arrays, "orders", source);
    parts.unused = vector_of<TokenId>(arrays, "unused", source);
    const auto merges = vector_of<TokenId>(arrays, "merges", source);
    const auto numbers = vector_of<std::uint32_t>(arrays, "options", source);
    if (merges.size() % 3 != 0 || numbers.size() != 7) throw FileError(source + ": arrays of the wrong length");
    parts.merges.reserve(merges.size() / 3);
    for (std::size_t i = 0; i < merges.size(); i += 3) {
        parts.merges.push_back({merges[i], merges[i + 1], merges[i + 2]});
    }
    ModelOptions options;
    options.alphabet = numbers[0] == 0 ? Alphabet::kBytes : Alphabet::kChars;
    options.metaspace = numbers[1] != 0;
    options.ignore_merges = numbers[2] != 0;
    options.byte_fallback = numbers[3] != 0;
    options.fuse_unk = numbers[4] != 0;
    options.unknown_is_error = numbers[5] != 0;
    options.unk = numbers[6];
    const VocabularyParts::Rule how = rule_from_name(rule, source);
    const py::gil_scoped_release release;
    return vocabulary_from_parts(parts, how, options, source);
}

}  // namespace

void bind_vocab(py::module_& m) {
    py::class_<ModelStrings>(m, "ModelStrings", "Tokens and merges of a tokenizer.json.")
        .def(py::init(&strings_of), py::arg("vocab"), py::arg("merges"), py::arg("source"))
        .def_static("read", &read_strings, py::arg("data"))
        .def_property_readonly("rest", [](const ModelStrings& strings) { return py::bytes(strings.strings->rest); })
        .def(
            "__contains__",
            [](const ModelStrings& strings, const std::string& token) {
                return strings.strings->tokens.find(token) != kNoToken;
            },
            py::arg("token"))
        .def("ids_of_added", &ids_of_added_texts, py::arg("texts"), py::arg("source"));

    py::class_<Vocabulary, std::shared_ptr<Vocabulary>>(m, "Vocabulary", "A BPE model: tokens and merges, immutable.")
        .def_static("from_ranks", &from_ranks, py::arg("ranks"), py::arg("special_tokens"), py::arg("source"))
        .def_static("from_rank_file", &from_rank_file, py::arg("data"), py::arg("special_tokens"), py::arg("source"))
        .def_static("from_merges", &from_merges, py::arg("strings"), py::arg("added_tokens"), py::kw_only(),
                    py::arg("alphabet"), py::arg("ignore_merges"), py::arg("byte_fallback"), py::arg("unk_token"),
                    py::arg("fuse_unk"), py::arg("source"))
        .def_static("from_scores", &from_scores, py::arg("pieces"), py::arg("scores"), py::arg("types"), py::kw_only(),
                    py::arg("byte_fallback"), py::arg("unk_id"), py::arg("source"))
        .def_static("from_tokens", &from_tokens, py::arg("tokens"), py::arg("merges"), py::arg("added_tokens"),
                    py::kw_only(), py::arg("source"))
        .def_static("from_parts", &from_parts, py::arg("arrays"), py::arg("rule"), py::arg("source"))
        .def("parts", &to_parts, py::arg("rule"))
        .def_property_readonly("n_vocab", &Vocabulary::n_vocab)
        .def("token_bytes", &token_bytes, py::arg("id"))
        .def("token_id", &token_id, py::arg("token"))
        .def(
            "has_token",
            [](const Vocabulary& v, std::int64_t id) {
                return id >= 0 && id <= kMaxTokenId && v.has_token(static_cast<TokenId>(id));
            },
            py::arg("id"))
        .def("special_tokens", &special_tokens)
        .def("merges", &merges)
        .def("merges_as_bytes", &merges_as_bytes)
        .def("unreachable", &unreachable);
}

}  // namespace fissile::bindings
