// _core.Encoder: text in, arrays of ids out.
//
// encode and count are raw vectorcall methods put on the class by hand: pybind11's dispatcher alone takes longer than
// encoding a short text.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "bindings/arguments_in.hpp"
#include "bindings/bindings.hpp"
#include "bindings/error_out.hpp"
#include "bindings/long_call.hpp"
#include "bindings/numpy_out.hpp"
#include "bindings/python_nfc.hpp"
#include "bindings/python_steps.hpp"
#include "bindings/raw_method.hpp"
#include "bindings/text_in.hpp"
#include "encode/batch.hpp"
#include "encode/encoder.hpp"
#include "encode/token_ranges.hpp"
#include "text/char_offsets.hpp"
#include "text/charsmap.hpp"
#include "text/nfc_check.hpp"

namespace fissile::bindings {

namespace {

// Texts shorter than this are encoded without letting go of the GIL, which would cost more than it gives.
constexpr std::size_t kKeepGilBytes = 512;

struct PyEncoder {
    Encoder core;
    bool taken_by_default;  // added tokens found in text are taken (tokenizer.json), or an error (tiktoken)
    SpecialPlan default_plan;
    std::vector<TokenId> before, after;  // the single-text template: what add_special_tokens=True puts around a text

    PyEncoder(std::shared_ptr<const Vocabulary> vocabulary, EncoderOptions options, std::vector<AddedToken> added,
              TextSteps steps, bool allow_special_by_default, std::vector<TokenId> template_before,
              std::vector<TokenId> template_after)
        : core(std::move(vocabulary), options, std::move(added), std::move(steps)),
          taken_by_default(allow_special_by_default),
          default_plan(core.plan(
              std::vector<SpecialMode>(core.special_tokens().tokens().size(),
                                       allow_special_by_default ? SpecialMode::kTaken : SpecialMode::kDisallowed))),
          before(std::move(template_before)),
          after(std::move(template_after)) {}
};

std::unique_ptr<PyEncoder> make_encoder(std::shared_ptr<Vocabulary> vocabulary, const std::string& pattern, bool nfc,
                                        const std::string& prefix_space, bool prefix_first_segment_only,
                                        bool split_spaces, const py::object& normalize,
                                        const std::optional<py::function>& split,
                                        const std::vector<std::tuple<py::bytes, TokenId, std::uint32_t>>& added_tokens,
                                        bool allow_special_by_default, std::vector<TokenId> before,
                                        std::vector<TokenId> after) {
    EncoderOptions options;
    if (pattern == "metaspace") {
        options.cut_by_vocabulary = true;
    } else if (const auto known = pattern_from_name(pattern)) {
        options.pattern = *known;
    } else {
        throw py::value_error("no pattern is named '" + pattern + "'");
    }
    if (prefix_space == "always") {
        options.prefix_space = PrefixSpace::kAlways;
    } else if (prefix_space == "unless_space") {
        options.prefix_space = PrefixSpace::kUnlessSpace;
    } else if (prefix_space != "never") {
        throw py::value_error("prefix_space must be 'never', 'always' or 'unless_space', not '" + prefix_space + "'");
    }
    options.prefix_first_stretch_only = prefix_first_segment_only;
    options.split_before_spaces = split_spaces;
    std::vector<AddedToken> added;
    added.reserve(added_tokens.size());
    for (const auto& [content, id, flags] : added_tokens) added.push_back({std::string(content), id, flags});
    TextSteps steps;
    if (py::isinstance<SentencePieceNormalizer>(normalize)) {
        steps.normalize = [native = py::cast<std::shared_ptr<SentencePieceNormalizer>>(normalize)](
                              Bytes text, bool&, std::vector<std::uint8_t>& normalized, TextSteps::Sources* sources) {
            native->normalize(text, normalized, sources);
            return true;
        };
    } else if (!normalize.is_none()) {
        steps.normalize = python_normalize(py::cast<py::function>(normalize));
    }
    if (nfc) {
        // The given one knows where characters come from; for the text alone there is a faster way.
        steps.normalize = [given = steps.normalize](Bytes text, bool& first, std::vector<std::uint8_t>& normalized,
                                                    TextSteps::Sources* sources) {
            if (sources == nullptr || !given) return python_nfc(text, normalized);
            return !is_nfc_quick(text) && given(text, first, normalized, sources);
        };
    }
    if (split) steps.split = python_split(*split);
    steps.divisible = (nfc || normalize.is_none()) && !split;
    const py::gil_scoped_release release;
    return std::make_unique<PyEncoder>(std::move(vocabulary), options, std::move(added), std::move(steps),
                                       allow_special_by_default, std::move(before), std::move(after));
}

// --- special tokens, as tiktoken names them
// ---------------------------------------------------------------------------

// An item of a collection of token texts; valid as long as the item is.
std::string_view token_text(py::handle item, const char* argument) {
    if (!PyUnicode_Check(item.ptr())) {
        throw py::type_error(argument + std::string(" must hold texts of tokens, each a str, found ") +
                             std::string(py::repr(item)));
    }
    Py_ssize_t n = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(item.ptr(), &n);
    if (text == nullptr) {
        PyErr_Clear();
        throw py::value_error(argument + std::string(" holds ") + std::string(py::repr(item)) +
                              ", which has a lone surrogate: no text that can be encoded does");
    }
    return {text, static_cast<std::size_t>(n)};
}

// Which tokens an argument names, and what it names beside them.
struct Chosen {
    std::vector<bool> flags;
    std::vector<std::string> others;
};

// "all", or an iterable of token texts.
Chosen chosen(py::handle choice, const SpecialTokens& tokens, const char* argument) {
    const std::size_t n = tokens.tokens().size();
    constexpr const char* kExpected = " must be 'all' or a collection of token texts, not ";
    if (PyUnicode_Check(choice.ptr())) {
        if (PyUnicode_CompareWithASCIIString(choice.ptr(), "all") != 0) {
            throw py::value_error(std::string(argument) + kExpected + std::string(py::repr(choice)));
        }
        return {std::vector<bool>(n, true), {}};
    }
    const auto items = py::reinterpret_steal<py::object>(PyObject_GetIter(choice.ptr()));
    if (!items) {
        PyErr_Clear();
        throw py::type_error(std::string(argument) + kExpected + Py_TYPE(choice.ptr())->tp_name);
    }
    Chosen result{std::vector<bool>(n, false), {}};
    for (const py::handle item : py::reinterpret_borrow<py::iterator>(items)) {
        const std::string_view text = token_text(item, argument);
        bool is_token = false;
        for (std::size_t i = 0; i < n; ++i) {
            if (tokens.tokens()[i].content == text) result.flags[i] = is_token = true;
        }
        if (!is_token) result.others.emplace_back(text);
    }
    return result;
}

bool given(py::handle argument) { return argument && !argument.is_none(); }

// nullptr: the encoder's default.
const SpecialPlan& plan_for(const PyEncoder& encoder, py::handle allowed, py::handle disallowed, SpecialPlan& storage) {
    if (!given(allowed) && !given(disallowed)) return encoder.default_plan;
    const SpecialTokens& tokens = encoder.core.special_tokens();
    const std::size_t n = tokens.tokens().size();
    const std::vector<bool> taken = given(allowed) ? chosen(allowed, tokens, "allowed_special").flags
                                                   : std::vector<bool>(n, encoder.taken_by_default);
    // tiktoken's default is "all", which means all that are not allowed.
    const bool all = given(disallowed) ? PyUnicode_Check(disallowed.ptr()) != 0 : !encoder.taken_by_default;
    const Chosen refused =
        given(disallowed) ? chosen(disallowed, tokens, "disallowed_special") : Chosen{std::vector<bool>(n, all), {}};
    for (const std::string& text : refused.others) {
        if (text.empty()) throw py::value_error("disallowed_special holds '', which is in every text");
    }
    std::vector<SpecialMode> modes(n, SpecialMode::kIgnored);
    for (std::size_t i = 0; i < n; ++i) {
        if (refused.flags[i] && !(all && taken[i])) {
            modes[i] = SpecialMode::kDisallowed;
        } else if (taken[i]) {
            modes[i] = SpecialMode::kTaken;
        }
    }
    storage = encoder.core.plan(modes, refused.others);
    return storage;
}

[[noreturn]] void raise_disallowed(const DisallowedSpecial& error) {
    const std::string token = py::repr(py::str(error.token()));
    const std::string message =
        (error.place().empty() ? "" : error.place() + ": ") +
        "Encountered text corresponding to disallowed special token " + token +
        ".\nIf you want this text to be encoded as a special token, pass it to `allowed_special`, e.g. "
        "`allowed_special={" +
        token +
        ", ...}`.\nIf you want this text to be encoded as normal text, disable the check "
        "for this token by passing `disallowed_special=(enc.special_tokens_set - {" +
        token + "})`.\nTo disable this check for all special tokens, pass `disallowed_special=()`.\n";
    set_error(PyExc_ValueError, message);
    throw py::error_already_set();
}

// Runs a call of the core: its errors become Python's.
template <class Call>
auto guarded(const Call& call) {
    try {
        return until_interrupted(call);
    } catch (const DisallowedSpecial& error) {
        raise_disallowed(error);
    }
}

// --- single texts
// -----------------------------------------------------------------------------------------------------

// Scratch that a thread keeps between calls. A call that comes in while another uses it (Python code run by a signal
// or a finaliser in the middle of one) gets its own.
struct Scratch {
    Encoder::Workspace workspace;
    IdArray ids;
    Utf8Buffer text;
    bool in_use = false;
};

class ScratchLease {
   public:
    ScratchLease() {
        static thread_local std::unique_ptr<Scratch> kept;
        // Not zeroed, as most of it is never touched.
        if (!kept) kept = std::make_unique_for_overwrite<Scratch>();
        if (kept->in_use) {
            own_ = std::make_unique_for_overwrite<Scratch>();
            scratch_ = own_.get();
        } else {
            scratch_ = kept.get();
        }
        scratch_->in_use = true;
        scratch_->ids.clear();
    }
    ~ScratchLease() { scratch_->in_use = false; }
    ScratchLease(const ScratchLease&) = delete;
    ScratchLease& operator=(const ScratchLease&) = delete;
    Scratch* operator->() const { return scratch_; }

   private:
    std::unique_ptr<Scratch> own_;
    Scratch* scratch_;
};

struct SingleArguments {
    PyObject* text = nullptr;
    PyObject* allowed = nullptr;
    PyObject* disallowed = nullptr;
    PyObject* add_special = nullptr;
    PyObject* split = nullptr;
    PyObject* parents = nullptr;
};

// Whether a keyword belongs to splitting, which `encode` takes and `count` does not; without a `split` seed,
// first_index and epoch mean nothing.
bool is_of_splitting(std::string_view name) {
    return name == "split" || name == "return_parents" || name == "seed" || name == "first_index" || name == "epoch";
}

SingleArguments parse_single(const char* function, PyObject* const* args, Py_ssize_t n_args, PyObject* names,
                             bool may_split = false) {
    SingleArguments parsed;
    if (n_args > 1) throw py::type_error(std::string(function) + "() takes one positional argument, the text");
    if (n_args == 1) parsed.text = args[0];
    const Py_ssize_t n_names = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < n_names; ++i) {
        const auto name = py::cast<std::string>(PyTuple_GET_ITEM(names, i));
        if (may_split && is_of_splitting(name)) {
            if (name == "split" && args[n_args + i] != Py_None) parsed.split = args[n_args + i];
            if (name == "return_parents" && args[n_args + i] != Py_False) parsed.parents = args[n_args + i];
            continue;
        }
        PyObject** const slot = name == "text"                 ? &parsed.text
                                : name == "allowed_special"    ? &parsed.allowed
                                : name == "disallowed_special" ? &parsed.disallowed
                                : name == "add_special_tokens" ? &parsed.add_special
                                                               : nullptr;
        if (slot == nullptr)
            throw py::type_error(std::string(function) + "() got an unexpected keyword argument '" + name + "'");
        if (*slot != nullptr) throw py::type_error(std::string(function) + "() got two values for '" + name + "'");
        *slot = args[n_args + i];
    }
    if (parsed.text == nullptr) throw py::type_error(std::string(function) + "() needs a text");
    return parsed;
}

template <class Sink>
void encode_one(const PyEncoder& encoder, const SingleArguments& arguments, Scratch& scratch, Sink& sink) {
    std::vector<HeldBuffer> buffers;
    const TextView view = view_of(arguments.text, "text", buffers);
    SpecialPlan storage;
    const SpecialPlan& plan = plan_for(encoder, arguments.allowed, arguments.disallowed, storage);
    const bool in_template = arguments.add_special != nullptr && truth(arguments.add_special, "add_special_tokens");
    // About as many ids as English has, so that memory for them is not grown again and again.
    sink.reserve_more(view.length / 4);
    if (in_template) sink.append(encoder.before.data(), encoder.before.size());
    guarded([&] {
        if (view.max_utf8_bytes() < kKeepGilBytes) {
            scratch.workspace.spans.interrupt = nullptr;
            encoder.core.encode(utf8_of(view, scratch.text), plan, scratch.workspace, sink);
            return;
        }
        const GilPause pause;
        Interrupt interrupt(check_signals);
        scratch.workspace.spans.interrupt = &interrupt;
        encoder.core.encode(utf8_of(view, scratch.text, 0, &interrupt), plan, scratch.workspace, sink);
    });
    if (in_template) sink.append(encoder.after.data(), encoder.after.size());
}

PyObject* encode(PyObject* self, PyObject* const* args, Py_ssize_t n_args, PyObject* names) noexcept {
    return raw_call([&] {
        const SingleArguments arguments = parse_single("encode", args, n_args, names, true);
        if (arguments.split != nullptr || arguments.parents != nullptr) {
            // Tokenizer's method, which knows the samplers by their public names, and refuses parents without one.
            const auto method = py::reinterpret_borrow<py::object>(self).attr("_encode_split");
            PyObject* const result = PyObject_Vectorcall(method.ptr(), args, static_cast<std::size_t>(n_args), names);
            if (result == nullptr) throw py::error_already_set();
            return result;
        }
        const ScratchLease scratch;
        encode_one(value_of<PyEncoder>(self), arguments, *scratch.operator->(), scratch->ids);
        // Large results are handed over with their memory, small ones copied so that the scratch stays warm.
        if (scratch->ids.size() > 65536) return to_numpy(std::move(scratch->ids)).release().ptr();
        return copy_to_numpy(scratch->ids.data(), scratch->ids.size()).release().ptr();
    });
}

PyObject* count(PyObject* self, PyObject* const* args, Py_ssize_t n_args, PyObject* names) noexcept {
    return raw_call([&] {
        const SingleArguments arguments = parse_single("count", args, n_args, names);
        const ScratchLease scratch;
        IdCounter counter;
        encode_one(value_of<PyEncoder>(self), arguments, *scratch.operator->(), counter);
        return PyLong_FromSize_t(counter.size());
    });
}

PyMethodDef encode_method = raw_method(
    "encode", encode,
    "encode($self, text, *, allowed_special=None, disallowed_special=None, add_special_tokens=False, split=None, "
    "seed=None, first_index=0, epoch=0, return_parents=False)\n--\n\n"
    "Token ids of one text: uint32, shape (n,); with return_parents a pair of them and the parents, int64, (n,).\n\n"
    "Args:\n"
    "    text: str, bytes or a buffer of bytes; bytes need not be valid UTF-8.\n"
    "    allowed_special: texts of special tokens to take as such, or 'all'.\n"
    "    disallowed_special: texts of special tokens whose presence is an error, or 'all': all that\n"
    "        are not allowed. Defaults follow the owning library: a tokenizer.json takes every added\n"
    "        token, a rank file refuses text that holds one (as tiktoken does).\n"
    "    add_special_tokens: put the file's template around the text, such as <s> in front. A rank file\n"
    "        has none, like many a tokenizer.json, and nothing is added (as `tokenizers` does; in tiktoken\n"
    "        there is no such argument). What is put behind each text of a batch is `eod` there.\n"
    "    split: a sampler of random spellings, such as fissile.StochasTok(0.1); None: none.\n"
    "    seed, first_index, epoch, return_parents: as of Tokenizer.encode_batch, for the one text.\n"
    "Raises:\n"
    "    ValueError: a disallowed special token is in the text, or a str holds a lone surrogate.\n"
    "    TypeError: text is of another type.\n");
PyMethodDef count_method =
    raw_method("count", count,
               "count($self, text, *, allowed_special=None, disallowed_special=None, add_special_tokens=False)\n--\n\n"
               "Number of tokens of one text, without building them. Arguments and errors as of encode.\n");

// --- many texts
// -------------------------------------------------------------------------------------------------------

BatchOptions batch_options(const PyEncoder& encoder, py::handle threads, py::handle allowed, py::handle disallowed,
                           py::handle add_special_tokens) {
    BatchOptions options;
    options.n_threads = thread_count(threads);
    SpecialPlan storage;
    options.plan = plan_for(encoder, allowed, disallowed, storage);
    options.keep_going = check_signals;
    if (truth(add_special_tokens, "add_special_tokens")) {
        options.before = encoder.before;
        options.after = encoder.after;
    }
    return options;
}

// A sampler, seed, epoch, index of the first text, and whether parents are wanted.
using SplittingArguments =
    std::optional<std::tuple<std::shared_ptr<Splitter>, std::uint64_t, std::uint32_t, std::uint64_t, bool>>;

Splitting splitting_of(const SplittingArguments& arguments) {
    if (!arguments) return {};
    const auto& [splitter, seed, epoch, first_index, want_parents] = *arguments;
    return {splitter, seed, epoch, first_index, want_parents};
}

py::tuple ids_offsets_parents(BatchIds&& result) {
    py::array ids = to_numpy(std::move(result.ids));
    py::array offsets = to_numpy(std::move(result.offsets));
    return py::make_tuple(std::move(ids), std::move(offsets), to_numpy(std::move(result.parents)));
}

py::tuple encode_batch(const PyEncoder& encoder, py::handle texts, py::handle threads, py::handle allowed,
                       py::handle disallowed, py::handle add_special_tokens, const SplittingArguments& splitting,
                       std::vector<TokenId> ending) {
    BatchOptions options = batch_options(encoder, threads, allowed, disallowed, add_special_tokens);
    options.splitting = splitting_of(splitting);
    options.ending = std::move(ending);
    const Texts views(texts);
    return ids_offsets_parents(guarded([&] {
        const py::gil_scoped_release release;
        return fissile::encode_batch(encoder.core, views.views, options);
    }));
}

py::array_t<std::int64_t> count_batch(const PyEncoder& encoder, py::handle texts, py::handle threads,
                                      py::handle allowed, py::handle disallowed, py::handle add_special_tokens) {
    const BatchOptions options = batch_options(encoder, threads, allowed, disallowed, add_special_tokens);
    const Texts views(texts);
    return to_numpy(guarded([&] {
        const py::gil_scoped_release release;
        return fissile::count_batch(encoder.core, views.views, options);
    }));
}

py::tuple encode_files(const PyEncoder& encoder, const std::vector<std::string>& paths,
                       const std::optional<std::string>& separator, py::handle threads, py::handle allowed,
                       py::handle disallowed, py::handle add_special_tokens, const SplittingArguments& splitting,
                       std::vector<TokenId> ending) {
    BatchOptions options = batch_options(encoder, threads, allowed, disallowed, add_special_tokens);
    options.splitting = splitting_of(splitting);
    options.ending = std::move(ending);
    if (separator && separator->empty()) throw py::value_error("separator must not be empty");
    return ids_offsets_parents(guarded([&] {
        const py::gil_scoped_release release;
        return fissile::encode_files(encoder.core, paths, separator.value_or(std::string()), options);
    }));
}

py::tuple encode_block(const PyEncoder& encoder, const py::bytes& text, const std::optional<py::bytes>& separator,
                       const std::pair<bool, bool>& continues, py::handle threads, py::handle allowed,
                       py::handle disallowed, py::handle add_special_tokens, const SplittingArguments& splitting,
                       std::vector<TokenId> ending) {
    BatchOptions options = batch_options(encoder, threads, allowed, disallowed, add_special_tokens);
    options.splitting = splitting_of(splitting);
    options.ending = std::move(ending);
    std::tie(options.continues_first, options.continues_last) = continues;
    const std::string between = separator ? std::string(*separator) : std::string();
    const Bytes bytes = as_bytes(std::string_view(text));
    return ids_offsets_parents(guarded([&] {
        const py::gil_scoped_release release;
        return fissile::encode_batch(encoder.core, divided({bytes}, between), options);
    }));
}

std::size_t last_division(const PyEncoder& encoder, const py::bytes& text) {
    return fissile::last_division(encoder.core, as_bytes(std::string_view(text)));
}

py::array encode_spans(const PyEncoder& encoder, const py::bytes& text,
                       const py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>& ends) {
    const Bytes bytes = as_bytes(std::string_view(text));
    const std::int64_t* const e = ends.data();
    std::int64_t last = 0;
    for (py::ssize_t i = 0; i < ends.size(); ++i) {
        if (e[i] < last || e[i] > static_cast<std::int64_t>(bytes.size())) {
            throw py::value_error("ends[" + std::to_string(i) + "] is " + std::to_string(e[i]) + ", expected from " +
                                  std::to_string(last) + " to " + std::to_string(bytes.size()));
        }
        last = e[i];
    }
    IdArray ids;
    {
        const py::gil_scoped_release release;
        Encoder::Workspace workspace;
        encoder.core.encode_spans(bytes, e, static_cast<std::size_t>(ends.size()), workspace, ids);
    }
    return to_numpy(std::move(ids));
}

py::tuple py_token_ranges(const PyEncoder& encoder, py::handle text, bool in_chars, py::handle allowed,
                          py::handle disallowed) {
    std::vector<HeldBuffer> buffers;
    const TextView view = view_of(text.ptr(), "text", buffers);
    SpecialPlan storage;
    const SpecialPlan& plan = plan_for(encoder, allowed, disallowed, storage);
    TokenRanges ranges = guarded([&] {
        const py::gil_scoped_release release;
        Utf8Buffer utf8;
        const Bytes bytes = utf8_of(view, utf8);
        TokenRanges found = fissile::token_ranges(encoder.core, bytes, plan);
        if (in_chars) {
            char_offsets(bytes, found.begins, InsideChar::kBefore);
            char_offsets(bytes, found.ends, InsideChar::kAfter);
        }
        return found;
    });
    py::array ids = to_numpy(std::move(ranges.ids));
    return py::make_tuple(std::move(ids), to_numpy(std::move(ranges.begins)), to_numpy(std::move(ranges.ends)));
}

}  // namespace

void bind_encode(py::module_& m) {
    py::class_<PyEncoder> type(m, "Encoder", "Encodes texts with one vocabulary; safe to share between threads.");
    type.def(py::init(&make_encoder), py::arg("vocabulary"), py::kw_only(), py::arg("pattern"), py::arg("nfc") = false,
             py::arg("prefix_space") = "never", py::arg("prefix_first_segment_only") = false,
             py::arg("split_spaces") = false, py::arg("normalize") = py::none(), py::arg("split") = py::none(),
             py::arg("added_tokens"), py::arg("allow_special_by_default"),
             py::arg("template_before") = std::vector<TokenId>(), py::arg("template_after") = std::vector<TokenId>())
        .def("_encode_batch", &encode_batch, py::arg("texts"), py::kw_only(), py::arg("threads") = py::none(),
             py::arg("allowed_special") = py::none(), py::arg("disallowed_special") = py::none(),
             py::arg("add_special_tokens") = false, py::arg("splitting") = py::none(),
             py::arg("ending") = std::vector<TokenId>())
        .def("_encode_block", &encode_block, py::arg("text"), py::kw_only(), py::arg("separator") = py::none(),
             py::arg("continues") = std::pair(false, false), py::arg("threads") = py::none(),
             py::arg("allowed_special") = py::none(), py::arg("disallowed_special") = py::none(),
             py::arg("add_special_tokens") = false, py::arg("splitting") = py::none(),
             py::arg("ending") = std::vector<TokenId>())
        .def("_last_division", &last_division, py::arg("text"))
        .def("_encode_files", &encode_files, py::arg("paths"), py::kw_only(), py::arg("separator") = py::none(),
             py::arg("threads") = py::none(), py::arg("allowed_special") = py::none(),
             py::arg("disallowed_special") = py::none(), py::arg("add_special_tokens") = false,
             py::arg("splitting") = py::none(), py::arg("ending") = std::vector<TokenId>())
        .def("count_batch", &count_batch, py::arg("texts"), py::arg("threads") = py::none(), py::kw_only(),
             py::arg("allowed_special") = py::none(), py::arg("disallowed_special") = py::none(),
             py::arg("add_special_tokens") = false,
             "Number of tokens of each text: int64 (n,). Arguments and errors as of encode_batch.")
        .def("_encode_spans", &encode_spans, py::arg("text"), py::arg("ends"))
        .def("_token_ranges", &py_token_ranges, py::arg("text"), py::kw_only(), py::arg("in_chars"),
             py::arg("allowed_special") = py::none(), py::arg("disallowed_special") = py::none())
        .def_property_readonly("_cache_bytes", [](const PyEncoder& encoder) { return encoder.core.cache_bytes(); });
    add_method(type, encode_method);
    add_method(type, count_method);
}

}  // namespace fissile::bindings
