// _core.train_merges: counted pretokens in, a TrainedStage out, which knows its merges and reports on them.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

#include "bindings/bindings.hpp"
#include "bindings/long_call.hpp"
#include "bindings/merge_arrays.hpp"
#include "bindings/numpy_out.hpp"
#include "train/counts_file.hpp"
#include "train/merge_corpus.hpp"
#include "train/merge_loop.hpp"
#include "train/superword_runs.hpp"
#include "train/trained_stage.hpp"

namespace fissile::bindings {

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

// ValueError where the three arrays of sequences do not belong together.
void check_sequences(const py::array& items, const Array<std::uint64_t>& ends, const Array<std::uint64_t>& counts) {
    if (items.ndim() != 1 || ends.ndim() != 1 || counts.ndim() != 1 || ends.size() != counts.size()) {
        throw py::value_error("items, ends and counts must have one dimension, and ends as many entries as counts");
    }
    std::uint64_t last = 0;
    for (py::ssize_t i = 0; i < ends.size(); ++i) {
        const std::uint64_t end = ends.data()[i];
        if (end < last) throw py::value_error("ends[" + std::to_string(i) + "] is below the one before");
        last = end;
    }
    if (last != static_cast<std::uint64_t>(items.size())) {
        throw py::value_error("the last of ends is " + std::to_string(last) + ", and there are " +
                              std::to_string(items.size()) + " items");
    }
}

// Ctrl-C; the caller's progress, progress(phase, done, total) every 50 ms; and checkpoint(merges, counts, joined) every
// so many seconds and when the work is stopped.
class Watch {
   public:
    Watch(py::object progress, py::object checkpoint, double seconds)
        : progress_(std::move(progress)),
          checkpoint_(std::move(checkpoint)),
          period_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))),
          next_checkpoint_(Clock::now() + period_) {}
    TrainProgress told;
    const TrainResult* result = nullptr;

    bool keep_going() {
        const py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) return false;
        const auto now = Clock::now();
        if (!checkpoint_.is_none() && result != nullptr && now >= next_checkpoint_) {
            if (!save()) return false;
            next_checkpoint_ = Clock::now() + period_;
        }
        if (progress_.is_none() || now < next_) return true;
        next_ = now + std::chrono::milliseconds(50);
        return tell();
    }
    // Both return false with Python's error set.
    bool tell() {
        if (progress_.is_none()) return true;
        const auto returned = py::reinterpret_steal<py::object>(
            PyObject_CallFunction(progress_.ptr(), "sKK", told.phase, static_cast<unsigned long long>(told.done),
                                  static_cast<unsigned long long>(told.total)));
        return returned.ptr() != nullptr;
    }
    bool save() {
        const std::size_t n = result->joined.size();
        const auto returned = py::reinterpret_steal<py::object>(PyObject_CallFunctionObjArgs(
            checkpoint_.ptr(), merges_array(result->merges, n).ptr(), copy_to_numpy(result->counts.data(), n).ptr(),
            copy_to_numpy(result->joined.data(), n).ptr(), nullptr));
        return returned.ptr() != nullptr;
    }

    // Once the work has been stopped: Python's error stays what it is, whatever becomes of the checkpoint.
    void save_what_there_is() {
        const py::gil_scoped_acquire gil;
        if (checkpoint_.is_none() || result->joined.empty()) return;
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        if (!save()) PyErr_Clear();
        PyErr_Restore(type, value, traceback);
    }

   private:
    using Clock = std::chrono::steady_clock;
    py::object progress_, checkpoint_;
    Clock::duration period_;
    Clock::time_point next_ = Clock::now(), next_checkpoint_;
};

// What is trained on: items in sequences that end at `ends`.
struct Corpus {
    const void* items;
    const std::uint64_t *ends, *counts;
    std::size_t n;
    bool are_ids;
};

// Of counted pretokens, which need no numpy, or of three arrays.
Corpus corpus_of(const py::object& items, const std::optional<Array<std::uint64_t>>& ends,
                 const std::optional<Array<std::uint64_t>>& counts) {
    if (py::isinstance<CountedText>(items)) {
        if (ends || counts) throw py::value_error("ends and counts do not go with counted pretokens, which have them");
        const PretokenCounts& counted = py::cast<const CountedText&>(items).counts;
        return {counted.bytes.data(), counted.ends.data(), counted.counts.data(), counted.size(), false};
    }
    if (!ends || !counts || !py::isinstance<py::array>(items)) {
        throw py::type_error("items must be counted pretokens, or an array that has ends and counts");
    }
    const auto array = py::reinterpret_borrow<py::array>(items);
    check_sequences(array, *ends, *counts);
    const bool are_ids = py::isinstance<Array<TokenId>>(array);
    if (!are_ids && !py::isinstance<Array<std::uint8_t>>(array)) {
        throw py::type_error("items must be bytes (uint8) or ids (uint32), C-contiguous");
    }
    return {array.data(), ends->data(), counts->data(), static_cast<std::size_t>(ends->size()), are_ids};
}

// _core.TrainedStage
struct Stage {
    TrainedStage stage;
    py::list tokens;  // bytes of those that it made
    py::list epochs;
    std::uint64_t n_joins;
};

py::bytes packed_merges(const Stage& self) {
    const std::vector<Merge>& merges = self.stage.merges;
    return {reinterpret_cast<const char*>(merges.data()), merges.size() * sizeof(Merge)};
}

std::vector<std::uint64_t> vector_of(const Array<std::uint64_t>& array) {
    return {array.data(), array.data() + array.size()};
}

void put_before(Stage& self, std::uint64_t n_tokens, const py::buffer& merges, const Array<std::uint64_t>& counts,
                const Array<std::uint64_t>& joined) {
    self.stage.put_before(n_tokens, merges_in(merges, "merges"), vector_of(counts), vector_of(joined));
}

StageReport report_stage(const Stage& self, const py::list& tokens, const std::vector<TokenId>& left_out,
                         std::uint64_t n_bytes, std::size_t n_longest) {
    std::vector<std::uint32_t> lengths;
    for (const py::handle token : tokens) {
        if (!PyBytes_Check(token.ptr())) throw py::type_error("tokens must be bytes");
        lengths.push_back(static_cast<std::uint32_t>(PyBytes_GET_SIZE(token.ptr())));
    }
    for (const TokenId id : left_out) {
        if (id >= lengths.size()) throw py::value_error("left_out names an id that is no token");
        lengths[id] = 0;
    }
    return report_on(self.stage, lengths, n_bytes, n_longest);
}

std::unique_ptr<Stage> train_merges(const py::object& items, const std::optional<Array<std::uint64_t>>& ends,
                                    const std::optional<Array<std::uint64_t>>& counts,
                                    const std::vector<py::bytes>& tokens, const std::vector<TokenId>& byte_ids,
                                    const std::shared_ptr<Vocabulary>& encode_with,
                                    const std::optional<Array<TokenId>>& join_with, std::uint64_t vocab_size,
                                    std::uint64_t min_frequency, std::optional<std::uint64_t> max_token_length,
                                    bool length_in_chars, bool strict_length, std::optional<std::uint64_t> max_words,
                                    bool colon_space, bool newline_end, unsigned threads, py::object progress,
                                    py::object checkpoint, double checkpoint_seconds, std::uint64_t first_threshold,
                                    std::uint32_t thread_share) {
    const Corpus corpus = corpus_of(items, ends, counts);
    const CountsView pretokens{static_cast<const std::uint8_t*>(corpus.items), corpus.ends, corpus.counts, corpus.n};
    if (byte_ids.size() != 256) throw py::value_error("byte_ids must have 256 entries");
    if (vocab_size > kMaxTokenId) {
        throw py::value_error("vocab_size is " + std::to_string(vocab_size) + ", expected at most " +
                              std::to_string(kMaxTokenId));
    }
    std::array<TokenId, 256> ids_of_bytes;
    std::copy_n(byte_ids.begin(), 256, ids_of_bytes.begin());
    std::vector<std::string> initial;
    for (const py::bytes& token : tokens) initial.emplace_back(std::string_view(token));
    for (const TokenId id : ids_of_bytes) {
        if (id != kNoToken && id >= initial.size()) throw py::value_error("byte_ids names an id that tokens lacks");
    }
    if (encode_with && encode_with->n_vocab() > initial.size()) {
        throw py::value_error("encode_with has more tokens than tokens names");
    }
    const std::vector<Merge> joined_before = join_with ? merges_in(*join_with, "join_with") : std::vector<Merge>();
    TrainOptions options;
    options.vocab_size = vocab_size;
    options.min_frequency = min_frequency;
    options.n_threads = std::clamp(threads, 1u, 64u);
    options.rules.max_length = max_token_length.value_or(MergeRules::kAny);
    options.rules.length_in_chars = length_in_chars;
    options.rules.strict_length = strict_length;
    options.rules.max_words = max_words.value_or(MergeRules::kAny);
    options.rules.colon_space = colon_space;
    options.rules.newline_end = newline_end;
    options.first_threshold = first_threshold;
    options.thread_share = std::max(thread_share, 1u);
    std::vector<std::uint64_t> n_of(initial.size());
    Watch watch(std::move(progress), std::move(checkpoint), checkpoint_seconds);
    watch.told = {"prepare", 0, corpus.n};
    TrainResult result;
    std::vector<std::string> made;
    try {
        const py::gil_scoped_release release;
        Interrupt interrupt([&watch] { return watch.keep_going(); });
        MergeSequences sequences;
        if (corpus.are_ids) {
            sequences = sequences_of_ids(static_cast<const TokenId*>(corpus.items), corpus.ends, corpus.counts,
                                         corpus.n, joined_before, n_of, interrupt);
        } else if (encode_with) {
            EncoderOptions plain;
            const Encoder encoder(encode_with, plain, {});
            sequences = sequences_of_tokens(pretokens, encoder, options.n_threads, n_of, interrupt);
        } else {
            sequences = sequences_of_bytes(pretokens, ids_of_bytes, n_of, interrupt);
        }
        MergeLoop loop(std::move(sequences), initial, options, interrupt, watch.told);
        watch.result = &loop.result();
        try {
            result = loop.run();
        } catch (const Cancelled&) {
            watch.save_what_there_is();
            throw;
        }
        watch.result = &result;
        made = loop.tokens_from(static_cast<TokenId>(initial.size()));
    } catch (const Cancelled&) {
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        throw;
    }
    if (!watch.tell()) {
        watch.save_what_there_is();
        throw py::error_already_set();
    }
    auto trained = std::make_unique<Stage>();
    for (const TrainEpoch& epoch : result.epochs) {
        trained->epochs.append(py::make_tuple(epoch.threshold, epoch.n_slots, epoch.n_merges));
    }
    py::list tokens_made(made.size());
    for (std::size_t i = 0; i < made.size(); ++i) tokens_made[i] = py::bytes(made[i]);
    trained->tokens = tokens_made;
    trained->n_joins = result.n_joins;
    trained->stage = {initial.size(), std::move(n_of), std::move(result.merges), std::move(result.counts),
                      std::move(result.joined)};
    return trained;
}

// _core.RunCounter, with its signals looked at.
void add_documents(RunCounter& counter, const std::vector<py::buffer>& documents, std::uint64_t weight,
                   const py::object& progress) {
    std::vector<py::buffer_info> open;
    std::vector<Bytes> views;
    for (const py::buffer& document : documents) {
        open.push_back(document.request());
        const py::buffer_info& info = open.back();
        views.push_back(
            {static_cast<const std::uint8_t*>(info.ptr), static_cast<std::size_t>(info.size * info.itemsize)});
    }
    std::atomic<std::uint64_t> n_read{0};
    without_gil([&] {
        Interrupt interrupt(check_signals_and_report(progress, [&n_read] { return n_read.load(); }));
        counter.add(views, weight, interrupt, n_read);
    });
}

std::unique_ptr<RunCounter> make_run_counter(std::shared_ptr<Vocabulary> vocabulary, const std::string& pattern,
                                             bool by_line, unsigned threads) {
    const auto known = pattern_from_name(pattern);
    if (!known) throw py::value_error("no pattern is named '" + pattern + "'");
    return std::make_unique<RunCounter>(std::move(vocabulary), *known, by_line, std::clamp(threads, 1u, 64u));
}

}  // namespace

void bind_train(py::module_& m) {
    py::class_<RunCounter>(m, "RunCounter", "Counts runs of pretokens that are one token each.")
        .def(py::init(&make_run_counter), py::arg("vocabulary"), py::kw_only(), py::arg("pattern"), py::arg("by_line"),
             py::arg("threads") = 1)
        .def("add", &add_documents, py::arg("documents"), py::arg("weight") = 1, py::arg("progress") = py::none())
        .def("take", [](RunCounter& counter) {
            TokenRuns runs = counter.take();
            return py::make_tuple(to_numpy(std::move(runs.ids)), to_numpy(std::move(runs.ends)),
                                  to_numpy(std::move(runs.counts)));
        });
    py::class_<StageReport>(m, "StageReport", "What a stage of training made of the corpus.")
        .def_property_readonly("occurrences",
                               [](const StageReport& report) {
                                   return copy_to_numpy(report.occurrences.data(), report.occurrences.size());
                               })
        .def_readonly("unused", &StageReport::unused)
        .def_readonly("longest", &StageReport::longest)
        .def_readonly("curve", &StageReport::curve);
    py::class_<Stage>(m, "TrainedStage", "What a run of the merge loop gave; see cpp/train/trained_stage.hpp.")
        .def_readonly("tokens", &Stage::tokens)
        .def_readonly("epochs", &Stage::epochs)
        .def_readonly("n_joins", &Stage::n_joins)
        .def_property_readonly("n_merges", [](const Stage& self) { return self.stage.merges.size(); })
        .def_property_readonly("last_count",
                               [](const Stage& self) -> std::optional<std::uint64_t> {
                                   if (self.stage.counts.empty()) return std::nullopt;
                                   return self.stage.counts.back();
                               })
        .def_property_readonly(
            "merges", [](const Stage& self) { return merges_array(self.stage.merges, self.stage.merges.size()); })
        .def_property_readonly("packed_merges", &packed_merges)
        .def_property_readonly(
            "counts",
            [](const Stage& self) { return copy_to_numpy(self.stage.counts.data(), self.stage.counts.size()); })
        .def_property_readonly(
            "joined",
            [](const Stage& self) { return copy_to_numpy(self.stage.joined.data(), self.stage.joined.size()); })
        .def_property(
            "initial",
            [](const Stage& self) { return copy_to_numpy(self.stage.initial.data(), self.stage.initial.size()); },
            [](Stage& self, const Array<std::uint64_t>& initial) { self.stage.initial = vector_of(initial); })
        .def(
            "unneeded",
            [](const Stage& self, const py::buffer& merges, std::size_t n) {
                return unneeded_merges(merges_in(merges, "merges"), n, self.stage.initial);
            },
            py::arg("merges"), py::arg("n"))
        .def("put_before", &put_before, py::arg("n_tokens"), py::arg("merges"), py::arg("counts"), py::arg("joined"))
        .def("report", &report_stage, py::arg("tokens"), py::kw_only(), py::arg("left_out"), py::arg("n_bytes"),
             py::arg("n_longest"));
    m.def("train_merges", &train_merges, py::arg("items"), py::arg("ends").noconvert() = py::none(),
          py::arg("counts").noconvert() = py::none(), py::kw_only(), py::arg("tokens"), py::arg("byte_ids"),
          py::arg("encode_with") = py::none(), py::arg("join_with").noconvert() = py::none(), py::arg("vocab_size"),
          py::arg("min_frequency") = 0, py::arg("max_token_length") = py::none(), py::arg("length_in_chars") = false,
          py::arg("strict_length") = false, py::arg("max_words") = py::none(), py::arg("colon_space") = true,
          py::arg("newline_end") = true, py::arg("threads") = 1, py::arg("progress") = py::none(),
          py::arg("checkpoint") = py::none(), py::arg("checkpoint_seconds") = 30.0, py::arg("first_threshold") = 0,
          py::arg("thread_share") = 4096);
}

}  // namespace fissile::bindings
