// Splitting at random, with p = 0.1, documents of 500 pretokens.
#include "stage.hpp"
#include "stochastic/bpe_dropout.hpp"
#include "stochastic/split_model.hpp"
#include "stochastic/stochastok.hpp"
#include "stochastic/uniform_split.hpp"

namespace micro {

namespace {

constexpr double kChance = 0.1;

struct Document {
    const TokenId* ids;
    std::vector<std::uint32_t> ends;  // of pretokens, in the document's ids
    SpannedIds view() const { return {ids, ends.back(), ends.data(), ends.size()}; }
};

std::vector<Document> documents_of(const Workload& w) {
    constexpr std::size_t kSpans = 500;
    std::vector<Document> documents;
    for (std::size_t first = 0; first < w.ids_ends.size(); first += kSpans) {
        const std::uint32_t begin = first == 0 ? 0 : w.ids_ends[first - 1];
        Document& document = documents.emplace_back(Document{w.ids.data() + begin, {}});
        for (std::size_t i = first; i < std::min(first + kSpans, w.ids_ends.size()); ++i) {
            document.ends.push_back(w.ids_ends[i] - begin);
        }
    }
    return documents;
}

Stage sampler(std::string name, std::shared_ptr<const Splitter> splitter,
              const std::shared_ptr<const std::vector<Document>>& documents) {
    const auto scratch = std::shared_ptr<Splitter::Scratch>(splitter->make_scratch());
    const auto out = std::make_shared<IdArray>();
    return {std::move(name), "id", "memcpy of ids", [out] { out->clear(); },
            [splitter, documents, scratch, out] {
                std::uint64_t n_ids = 0;
                DocumentKey key{1, 0, 0};
                for (const Document& document : *documents) {
                    splitter->split(document.view(), key, *scratch, *out, nullptr);
                    n_ids += document.ends.back();
                    ++key.index;
                }
                sink = out->size();
                return n_ids;
            }};
}

}  // namespace

std::vector<Stage> sample_stages(const Workload& w) {
    const SplitModel model(w.vocabulary);
    const auto documents = std::make_shared<const std::vector<Document>>(documents_of(w));
    const std::vector<TokenId> deny;
    return {
        sampler("StochasTok", std::make_shared<StochasTok>(model.table(), kChance, StochasTok::kNoCap, deny),
                documents),
        sampler("BPE-dropout", std::make_shared<BpeDropout>(model.merges(false), kChance, DropoutLaw::kPaper),
                documents),
        sampler("uniform split",
                std::make_shared<UniformSplit>(w.vocabulary, model.prefixes(), kChance, UniformSplit::kAnyLength),
                documents),
    };
}

}  // namespace micro
