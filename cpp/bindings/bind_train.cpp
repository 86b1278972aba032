// _core.train_merges: counted pretokens in, merges out.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "bindings/bindings.hpp"
#include "bindings/numpy_out.hpp"
#include "train/merge_corpus.hpp"
#include "train/merge_loop.hpp"

namespace fissile::bindings {

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

// Views of the three arrays of a PretokenCounts; ValueError where they do not belong together.
CountsView view_of_counts(const Array<std::uint8_t>& bytes, const Array<std::uint64_t>& ends,
                          const Array<std::uint64_t>& counts) {
    if (bytes.ndim() != 1 || ends.ndim() != 1 || counts.ndim() != 1 || ends.size() != counts.size()) {
        throw py::value_error("bytes, ends and counts must have one dimension, and ends as many entries as counts");
    }
    const CountsView view{bytes.data(), ends.data(), counts.data(), static_cast<std::size_t>(ends.size())};
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < view.n; ++i) {
        if (view.ends[i] < last) throw py::value_error("ends[" + std::to_string(i) + "] is below the one before");
        last = view.ends[i];
    }
    if (last != static_cast<std::uint64_t>(bytes.size())) {
        throw py::value_error("the last of ends is " + std::to_string(last) + ", and there are " +
                              std::to_string(bytes.size()) + " bytes");
    }
    return view;
}

// Ctrl-C, and the caller's progress: progress(phase, done, total) every 50 ms.
class Watch {
   public:
    explicit Watch(py::object progress) : progress_(std::move(progress)) {}
    TrainProgress told;

    bool keep_going() {
        const py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) return false;
        const auto now = std::chrono::steady_clock::now();
        if (progress_.is_none() || now < next_) return true;
        next_ = now + std::chrono::milliseconds(50);
        return tell();
    }
    bool tell() {
        if (progress_.is_none()) return true;
        const py::object result = py::reinterpret_steal<py::object>(
            PyObject_CallFunction(progress_.ptr(), "sKK", told.phase, static_cast<unsigned long long>(told.done),
                                  static_cast<unsigned long long>(told.total)));
        return result.ptr() != nullptr;
    }

   private:
    py::object progress_;
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now();
};

py::dict train_merges(const Array<std::uint8_t>& bytes, const Array<std::uint64_t>& ends,
                       const Array<std::uint64_t>& counts, const std::vector<py::bytes>& tokens,
                       const Array<TokenId>& byte_ids, const std::shared_ptr<Vocabulary>& encode_with,
                       std::uint64_t vocab_size, std::uint64_t min_frequency,
                       std::optional<std::uint64_t> max_token_length, bool length_in_chars, bool strict_length,
                       std::optional<std::uint64_t> max_words, bool colon_space, bool newline_end, unsigned threads,
                       py::object progress, std::uint64_t first_threshold, std::uint32_t thread_share) {
    const CountsView pretokens = view_of_counts(bytes, ends, counts);
    if (byte_ids.ndim() != 1 || byte_ids.size() != 256) throw py::value_error("byte_ids must have 256 entries");
    if (vocab_size > kMaxTokenId) {
        throw py::value_error("vocab_size is " + std::to_string(vocab_size) + ", expected at most " +
                              std::to_string(kMaxTokenId));
    }
    std::array<TokenId, 256> ids_of_bytes;
    std::copy_n(byte_ids.data(), 256, ids_of_bytes.begin());
    std::vector<std::string> initial;
    for (const py::bytes& token : tokens) initial.emplace_back(std::string_view(token));
    for (const TokenId id : ids_of_bytes) {
        if (id != kNoToken && id >= initial.size()) throw py::value_error("byte_ids names an id that tokens lacks");
    }
    if (encode_with && encode_with->n_vocab() > initial.size()) {
        throw py::value_error("encode_with has more tokens than tokens names");
    }
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
    std::vector<std::uint8_t> seen;
    Watch watch(std::move(progress));
    watch.told = {"tokens of pretokens", 0, pretokens.n};
    TrainResult result;
    try {
        const py::gil_scoped_release release;
        Interrupt interrupt([&watch] { return watch.keep_going(); });
        MergeSequences sequences;
        if (encode_with) {
            EncoderOptions plain;
            const Encoder encoder(encode_with, plain, {});
            sequences = sequences_of_tokens(pretokens, encoder, seen, interrupt);
        } else {
            sequences = sequences_of_bytes(pretokens, ids_of_bytes, interrupt);
        }
        MergeLoop loop(std::move(sequences), initial, options, interrupt, watch.told);
        result = loop.run();
    } catch (const Cancelled&) {
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        throw;
    }
    if (!watch.tell()) throw py::error_already_set();
    Array<TokenId> merges({static_cast<py::ssize_t>(result.merges.size()), py::ssize_t{3}});
    static_assert(sizeof(Merge) == 3 * sizeof(TokenId));
    if (!result.merges.empty()) {
        std::memcpy(merges.mutable_data(), result.merges.data(), result.merges.size() * sizeof(Merge));
    }
    py::list epochs;
    for (const TrainEpoch& epoch : result.epochs) {
        epochs.append(py::make_tuple(epoch.threshold, epoch.n_slots, epoch.n_merges));
    }
    py::dict trained;
    trained["merges"] = merges;
    trained["counts"] = to_numpy(std::move(result.counts));
    trained["joined"] = to_numpy(std::move(result.joined));
    trained["seen"] = to_numpy(std::move(seen));
    trained["epochs"] = epochs;
    trained["n_joins"] = result.n_joins;
    return trained;
}

}  // namespace

void bind_train(py::module_& m) {
    m.def("train_merges", &train_merges, py::arg("bytes").noconvert(), py::arg("ends").noconvert(),
          py::arg("counts").noconvert(), py::kw_only(), py::arg("tokens"), py::arg("byte_ids").noconvert(),
          py::arg("encode_with") = py::none(), py::arg("vocab_size"), py::arg("min_frequency") = 0,
          py::arg("max_token_length") = py::none(), py::arg("length_in_chars") = false,
          py::arg("strict_length") = false, py::arg("max_words") = py::none(), py::arg("colon_space") = true,
          py::arg("newline_end") = true, py::arg("threads") = 1, py::arg("progress") = py::none(),
          py::arg("first_threshold") = 0, py::arg("thread_share") = 4096);
}

}  // namespace fissile::bindings
