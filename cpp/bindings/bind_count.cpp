// _core.TextCounter and _core.PretokenCounts: texts in, distinct pretokens and their counts out.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "bindings/bindings.hpp"
#include "bindings/long_call.hpp"
#include "bindings/numpy_out.hpp"
#include "bindings/python_steps.hpp"
#include "bindings/text_in.hpp"
#include "train/count_sort.hpp"
#include "train/count_text.hpp"

namespace fissile::bindings {

namespace {

using File = std::tuple<std::string, std::uint64_t, std::uint64_t>;  // path, bytes, weight
using Words = py::array_t<std::uint64_t, py::array::c_style | py::array::forcecast>;

Sequence sequence_from_name(const std::string& name) {
    if (name == "line") return Sequence::kLine;
    if (name == "document") return Sequence::kDocument;
    throw py::value_error("sequence must be 'line' or 'document', not '" + name + "'");
}

Pattern pattern_of(const std::string& name) {
    const auto known = pattern_from_name(name);
    if (!known) throw py::value_error("no pattern is named '" + name + "'");
    return *known;
}

std::unique_ptr<TextCounter> make_counter(const std::string& pattern, const std::string& sequence,
                                          std::vector<std::string> special_tokens, const py::object& threads,
                                          std::size_t memory_bytes, std::string spill_directory,
                                          std::size_t portion_bytes, std::uint64_t scale,
                                          const std::optional<py::function>& split) {
    CountOptions options;
    if (split) {
        if (pattern.size() > kMaxPatternBytes) {
            throw py::value_error("the pattern has " + std::to_string(pattern.size()) + " bytes, expected at most " +
                                  std::to_string(kMaxPatternBytes));
        }
        options.pattern = Pattern::kNone;
        options.split = python_split(*split);
        options.split_name = pattern;
    } else {
        options.pattern = pattern_of(pattern);
    }
    options.sequence = sequence_from_name(sequence);
    for (const std::string& token : special_tokens) {
        if (token.empty()) throw py::value_error("special_tokens must not hold an empty text");
    }
    options.special_tokens = std::move(special_tokens);
    options.n_threads = thread_count(threads);
    options.memory_bytes = memory_bytes;
    options.spill_directory = std::move(spill_directory);
    options.portion_bytes = std::max<std::size_t>(portion_bytes, 1);
    options.scale = scale;
    return std::make_unique<TextCounter>(std::move(options));
}

void add_files(TextCounter& counter, const std::vector<File>& files, const py::object& progress) {
    std::vector<TextCounter::File> converted;
    for (const auto& [path, n_bytes, weight] : files) converted.push_back({path, n_bytes, weight});
    const auto keep_going = check_signals_and_report(progress, [&] { return counter.n_bytes(); });
    without_gil([&] { counter.add_files(converted, keep_going); });
}

void add_texts(TextCounter& counter, py::handle texts, std::uint64_t weight, std::uint64_t n_documents) {
    const Texts views(texts);
    without_gil([&] { counter.add_texts(views.views, weight, n_documents, check_signals); });
}

CountedText finish(TextCounter& counter) {
    return without_gil([&] { return counter.finish(check_signals); });
}

void finish_to_file(TextCounter& counter, const std::string& path) {
    without_gil([&] { counter.finish_to_file(path, check_signals); });
}

std::size_t last_division(const TextCounter& counter, const py::bytes& text) {
    return counter.last_division(as_bytes(std::string_view(text)));
}

// --- counts ----------------------------------------------------------------------------------------------------------

CountedText load(const std::string& path) {
    return without_gil([&] {
        Interrupt interrupt(check_signals);
        return load_counts(path, interrupt);
    });
}

void save(const CountedText& counted, const std::string& path) {
    without_gil([&] {
        Interrupt interrupt(check_signals);
        save_counts(path, counted, interrupt);
    });
}

CountedText merged(const CountedText& a, const CountedText& b) {
    return without_gil([&] {
        Interrupt interrupt(check_signals);
        return merge_counted(a, b, interrupt);
    });
}

void merge_files(const std::vector<std::string>& paths, const std::string& out, const py::object& progress) {
    std::uint64_t n_read = 0;
    without_gil([&] {
        Interrupt interrupt(check_signals_and_report(progress, [&n_read] { return n_read; }));
        merge_counts_files(paths, out, interrupt, n_read);
    });
}

CountedText from_arrays(const std::string& pattern, const std::string& sequence, std::uint64_t scale,
                        std::uint64_t n_documents, std::uint64_t n_bytes,
                        const py::array_t<std::uint8_t, py::array::c_style>& bytes, const Words& ends,
                        const Words& counts) {
    CountedText counted;
    counted.info = {pattern, sequence_from_name(sequence), scale, n_documents, n_bytes};
    const std::uint64_t *const e = ends.data(), *const c = counts.data();
    const auto n = static_cast<std::size_t>(ends.size());
    const auto size = static_cast<std::uint64_t>(bytes.size());
    if (scale == 0) throw py::value_error("scale must be at least 1, not 0");
    if (static_cast<std::size_t>(counts.size()) != n) throw py::value_error("ends and counts differ in length");
    if ((n == 0 ? 0 : e[n - 1]) != size) throw py::value_error("the last of ends must be the length of bytes");
    std::uint64_t total = 0;
    const auto fail = [](const char* name, std::size_t i, const char* expected) {
        throw py::value_error(std::string(name).append("[").append(std::to_string(i)).append("] must ") + expected);
    };
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint64_t begin = i == 0 ? 0 : e[i - 1];
        if (e[i] <= begin || e[i] > size) fail("ends", i, "be greater than the one before");
        if (c[i] == 0) fail("counts", i, "be at least 1, not 0");
        total = add_counts(total, c[i]);
        const Bytes pretoken{bytes.data() + begin, static_cast<std::size_t>(e[i] - begin)};
        if (i != 0 && !less_bytes(counted.counts[i - 1], pretoken)) {
            fail("pretoken", i, "come after the one before it in order of bytes");
        }
        counted.counts.append(pretoken, c[i]);
    }
    return counted;
}

// An array that looks into the counts, which it keeps alive.
template <class T>
py::array_t<T> view(const std::vector<T>& values, py::handle owner) {
    py::array_t<T> array(static_cast<py::ssize_t>(values.size()), values.data(), owner);
    array.attr("flags").attr("writeable") = false;
    return array;
}

py::tuple arrays(const py::object& self) {
    const auto& counts = py::cast<const CountedText&>(self).counts;
    return py::make_tuple(view(counts.bytes, self), view(counts.ends, self), view(counts.counts, self));
}

py::tuple entry(const PretokenCounts& counts, std::size_t i) {
    const std::string_view pretoken = as_chars(counts[i]);
    return py::make_tuple(py::bytes(pretoken.data(), pretoken.size()), counts.counts[i]);
}

py::list entries(const CountedText& counted, std::size_t begin, std::size_t end) {
    py::list list;
    for (std::size_t i = begin; i < std::min(end, counted.counts.size()); ++i) list.append(entry(counted.counts, i));
    return list;
}

py::list most_common(const CountedText& counted, std::size_t n) {
    const std::vector<std::uint64_t>& counts = counted.counts.counts;
    std::vector<std::size_t> order(counts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    n = std::min(n, order.size());
    // Entries ascend by bytes, so their numbers break ties.
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
        [&](std::size_t a, std::size_t b) { return counts[a] != counts[b] ? counts[a] > counts[b] : a < b; });
    py::list list;
    for (std::size_t i = 0; i < n; ++i) list.append(entry(counted.counts, order[i]));
    return list;
}

std::uint64_t count_of(const CountedText& counted, const py::bytes& pretoken) {
    const Bytes wanted = as_bytes(std::string_view(pretoken));
    const PretokenCounts& counts = counted.counts;
    std::size_t low = 0, high = counts.size();
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (less_bytes(counts[middle], wanted)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < counts.size() && compare_bytes(counts[low], wanted) == 0 ? counts.counts[low] : 0;
}

// Pretokens, bytes, and of the longest one its length and first bytes.
py::tuple sums(const CountedText& counted) {
    constexpr std::size_t kShown = 40;
    const PretokenCounts::Sums all = counted.counts.sums();
    const Bytes longest = counted.counts.size() == 0 ? Bytes() : counted.counts[all.longest];
    const std::string_view shown = as_chars(longest.first(std::min(longest.size(), kShown)));
    return py::make_tuple(all.n_pretokens, all.n_bytes, longest.size(), py::bytes(shown.data(), shown.size()));
}

bool equal(const CountedText& a, const CountedText& b) {
    const auto info = [](const CountsInfo& i) {
        return std::tie(i.pattern, i.sequence, i.scale, i.n_documents, i.n_bytes);
    };
    return info(a.info) == info(b.info) && a.counts.ends == b.counts.ends && a.counts.counts == b.counts.counts &&
           a.counts.bytes == b.counts.bytes;
}

}  // namespace

void bind_count(py::module_& m) {
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const IoError& error) {
            PyErr_SetString(PyExc_OSError, error.what());
        }
    });

    py::class_<TextCounter>(m, "TextCounter", "Counts the pretokens of texts; see fissile.count.")
        .def(py::init(&make_counter), py::kw_only(), py::arg("pattern"), py::arg("sequence"),
             py::arg("special_tokens") = std::vector<std::string>(), py::arg("threads") = py::none(),
             py::arg("memory_bytes") = 0, py::arg("spill_directory") = "", py::arg("portion_bytes") = 1 << 19,
             py::arg("scale") = 1, py::arg("split") = py::none())
        .def("add_files", &add_files, py::arg("files"), py::arg("progress") = py::none())
        .def("add_texts", &add_texts, py::arg("texts"), py::arg("weight"), py::arg("n_documents"))
        .def("stop", &TextCounter::stop)
        .def("finish", &finish)
        .def("finish_to_file", &finish_to_file, py::arg("path"))
        .def("last_division", &last_division, py::arg("text"))
        .def_property_readonly("n_bytes", &TextCounter::n_bytes)
        .def_property_readonly("n_runs", &TextCounter::n_runs);

    py::class_<CountedText>(m, "PretokenCounts", "Distinct pretokens and their counts; see fissile.PretokenCounts.")
        .def_static("load", &load, py::arg("path"))
        .def_static("from_arrays", &from_arrays, py::kw_only(), py::arg("pattern"), py::arg("sequence"),
                    py::arg("scale"), py::arg("n_documents"), py::arg("n_bytes"), py::arg("bytes"), py::arg("ends"),
                    py::arg("counts"))
        .def("save", &save, py::arg("path"))
        .def("merged", &merged, py::arg("other"))
        .def("arrays", [](const py::object& self) { return arrays(self); })
        .def("entries", &entries, py::arg("begin"), py::arg("end"))
        .def("most_common", &most_common, py::arg("n"))
        .def("count_of", &count_of, py::arg("pretoken"))
        .def("sums", &sums)
        .def("equals", &equal, py::arg("other"))
        .def_property_readonly("pattern", [](const CountedText& c) { return c.info.pattern; })
        .def_property_readonly(
            "sequence", [](const CountedText& c) { return c.info.sequence == Sequence::kLine ? "line" : "document"; })
        .def_property_readonly("scale", [](const CountedText& c) { return c.info.scale; })
        .def_property_readonly("n_documents", [](const CountedText& c) { return c.info.n_documents; })
        .def_property_readonly("n_bytes", [](const CountedText& c) { return c.info.n_bytes; })
        .def("__len__", [](const CountedText& c) { return c.counts.size(); });
    m.def("merge_counts_files", &merge_files, py::arg("paths"), py::arg("out"), py::arg("progress") = py::none());
}

}  // namespace fissile::bindings
