// _core.SplitModel and _core.Splitter: the samplers of stochastic/, from the numbers that fissile.stochastic holds.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>

#include "bindings/bindings.hpp"
#include "bindings/long_call.hpp"
#include "bindings/numpy_out.hpp"
#include "stochastic/bpe_dropout.hpp"
#include "stochastic/random.hpp"
#include "stochastic/split_ids.hpp"
#include "stochastic/split_model.hpp"
#include "stochastic/stochastok.hpp"
#include "stochastic/token_lattice.hpp"
#include "stochastic/uniform_split.hpp"

namespace fissile::bindings {

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

std::shared_ptr<StochasTok> stochastok(const SplitModel& model, double p,
                                       const std::optional<std::uint64_t>& max_expansions,
                                       const std::vector<TokenId>& deny) {
    check_chance(p, "p");
    const py::gil_scoped_release release;
    return std::make_shared<StochasTok>(model.table(), p, max_expansions.value_or(StochasTok::kNoCap), deny);
}

std::shared_ptr<BpeDropout> bpe_dropout(const SplitModel& model, double p, const std::string& law,
                                        const std::string& merges, bool remembers) {
    static const std::map<std::string, DropoutLaw> laws{{"paper", DropoutLaw::kPaper},
                                                        {"tokenizers", DropoutLaw::kTokenizers},
                                                        {"sentencepiece", DropoutLaw::kSentencePiece},
                                                        {"subword-nmt", DropoutLaw::kSubwordNmt}};
    check_chance(p, "p");
    const py::gil_scoped_release release;
    return std::make_shared<BpeDropout>(model.merges(merges == "any"), p, laws.at(law), remembers);
}

std::shared_ptr<UniformSplit> uniform_split(const SplitModel& model, double p, std::int64_t length) {
    check_chance(p, "p");
    const py::gil_scoped_release release;
    return std::make_shared<UniformSplit>(model.vocabulary(), model.prefixes(), p, length);
}

// Number of ways to spell what some ids spell: (m, e) for m * 2^e, m exact below 2^53; with n_tokens, of that length.
std::pair<double, std::int64_t> count_spellings(const SplitModel& model, const std::vector<TokenId>& ids,
                                                const std::optional<std::size_t>& n_tokens) {
    TokenLattice lattice(*model.vocabulary(), *model.prefixes());
    lattice.set(ids.data(), ids.size());
    if (n_tokens) return {lattice.count_by_length(*n_tokens), 0};
    const TokenLattice::Count count = lattice.count();
    return {count.value, 512 * count.blocks};
}

py::tuple split_table(const SplitModel& model) {
    std::shared_ptr<const SplitTable> table;
    {
        const py::gil_scoped_release release;
        table = model.table();
    }
    std::vector<std::int64_t> offsets{0};
    std::vector<TokenId> left, right;
    for (TokenId id = 0; id < table->n_vocab(); ++id) {
        for (std::uint32_t i = 0; i < table->n_pairs(id); ++i) {
            const SplitTable::Pair pair = table->pair(id, i);
            left.push_back(pair.left);
            right.push_back(pair.right);
        }
        offsets.push_back(static_cast<std::int64_t>(left.size()));
    }
    return py::make_tuple(to_numpy(std::move(offsets)), to_numpy(std::move(left)), to_numpy(std::move(right)));
}

py::tuple split_ids(const StochasTok& splitter, const Array<TokenId>& ids, const Array<std::int64_t>& offsets,
                    const Array<double>& p, std::uint64_t seed, std::uint32_t epoch, std::uint64_t first_index,
                    bool return_parents, unsigned threads) {
    const std::vector<std::int64_t> bounds(offsets.data(), offsets.data() + offsets.size());
    if (bounds.empty() || bounds.front() != 0 || bounds.back() != ids.size()) {
        throw py::value_error("offsets must begin with 0 and end with the number of ids, " +
                              std::to_string(ids.size()));
    }
    if (p.size() != offsets.size() - 1) {
        throw py::value_error("p must have one entry a document: " + std::to_string(offsets.size() - 1) + ", not " +
                              std::to_string(p.size()));
    }
    for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
        if (bounds[i + 1] < bounds[i]) {
            throw py::value_error("offsets[" + std::to_string(i + 1) + "] is " + std::to_string(bounds[i + 1]) +
                                  ", less than the one before it, " + std::to_string(bounds[i]));
        }
        check_chance(p.data()[i], "p[" + std::to_string(i) + "]");
    }
    SplitIdsOptions options;
    options.seed = seed;
    options.epoch = epoch;
    options.first_index = first_index;
    options.p = p.data();
    options.want_parents = return_parents;
    options.n_threads = threads;
    options.keep_going = check_signals;
    SplitIds result = until_interrupted([&] {
        const py::gil_scoped_release release;
        return fissile::split_ids(splitter, ids.data(), bounds, options);
    });
    py::array out_ids = to_numpy(std::move(result.ids));
    py::array out_offsets = to_numpy(std::move(result.offsets));
    return py::make_tuple(std::move(out_ids), std::move(out_offsets), to_numpy(std::move(result.parents)));
}

// Blocks 0 to n_blocks - 1 of a document's stream: what docs/stochastic.md gives as test vectors.
py::array random_words(std::uint64_t seed, std::uint32_t epoch, std::uint64_t index, std::uint32_t use,
                       std::size_t n_words) {
    RandomWords words({seed, epoch, index}, static_cast<RandomUse>(use));
    std::vector<std::uint32_t> drawn;
    for (std::size_t i = 0; i < n_words; ++i) drawn.push_back(words.next());
    return to_numpy(std::move(drawn));
}

}  // namespace

void bind_stochastic(py::module_& m) {
    py::class_<Splitter, std::shared_ptr<Splitter>>(m, "Splitter", "A sampler made ready for one vocabulary.");
    py::class_<StochasTok, Splitter, std::shared_ptr<StochasTok>>(m, "StochasTokSplitter")
        .def("split_ids", &split_ids, py::arg("ids"), py::arg("offsets"), py::kw_only(), py::arg("p"), py::arg("seed"),
             py::arg("epoch"), py::arg("first_index"), py::arg("return_parents"), py::arg("threads"));
    py::class_<BpeDropout, Splitter, std::shared_ptr<BpeDropout>>(m, "BpeDropoutSplitter");
    py::class_<UniformSplit, Splitter, std::shared_ptr<UniformSplit>>(m, "UniformSplitter");
    py::class_<CharacterSplit, Splitter, std::shared_ptr<CharacterSplit>>(m, "CharacterSplitter");
    py::class_<SplitModel, std::shared_ptr<SplitModel>>(m, "SplitModel", "What samplers need to know of a vocabulary.")
        .def(py::init([](const std::shared_ptr<Vocabulary>& vocabulary) {
                 return std::make_shared<SplitModel>(vocabulary);
             }),
             py::arg("vocabulary"))
        .def("table", &split_table)
        .def("bpe_dropout", &bpe_dropout, py::arg("p"), py::kw_only(), py::arg("law"), py::arg("merges"),
             py::arg("remembers") = true)
        .def("uniform_split", &uniform_split, py::arg("p"), py::kw_only(), py::arg("length"))
        .def("character_split",
             [](const SplitModel& model) { return std::make_shared<CharacterSplit>(model.vocabulary()); })
        .def("_count_spellings", &count_spellings, py::arg("ids"), py::arg("n_tokens") = py::none())
        .def("stochastok", &stochastok, py::arg("p"), py::kw_only(), py::arg("max_expansions"), py::arg("deny"));
    py::module_ testing = m.def_submodule("_testing");
    testing.def("random_words", &random_words, py::arg("seed"), py::arg("epoch"), py::arg("index"), py::arg("use"),
                py::arg("n_words"));
    testing.def(
        "philox",
        [](PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) { return philox4x32_10(counter, key0, key1); },
        py::arg("counter"), py::arg("key0"), py::arg("key1"));
}

}  // namespace fissile::bindings
