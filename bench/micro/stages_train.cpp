// Training: counting pretokens, the index of pairs, and the updates that merges cost.
#include <array>
#include <limits>
#include <numeric>

#include "cpu/interrupt.hpp"
#include "stage.hpp"
#include "train/count_table.hpp"
#include "train/count_text.hpp"
#include "train/merge_corpus.hpp"
#include "train/merge_loop.hpp"

namespace micro {

namespace {

std::uint64_t count_all(const Workload& w, CountTable& table) {
    std::uint32_t begin = 0;
    for (std::size_t first = 0; first < w.ends.size(); first += CountTable::kBatch) {
        const std::size_t n = std::min(CountTable::kBatch, w.ends.size() - first);
        const std::uint32_t end = w.ends[first + n - 1];
        table.make_room(n, end - begin, std::numeric_limits<std::size_t>::max());
        table.add(w.bytes(), begin, w.ends.data() + first, n, 1);
        begin = end;
    }
    return w.ends.size();
}

// What a merge loop is made of, anew for each run.
struct Training {
    explicit Training(const Workload& w) : interrupt([] { return true; }) {
        std::array<TokenId, 256> byte_ids;
        std::iota(byte_ids.begin(), byte_ids.end(), TokenId{0});
        std::vector<std::string> tokens;
        for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
        std::vector<std::uint64_t> n_of(256);
        const CountsView view{w.counts.bytes.data(), w.counts.ends.data(), w.counts.counts.data(), w.counts.size()};
        TrainOptions options;
        options.vocab_size = w.vocabulary->n_vocab();
        loop = std::make_unique<MergeLoop>(sequences_of_bytes(view, byte_ids, n_of, interrupt), tokens, options,
                                           interrupt, progress);
    }
    Interrupt interrupt;
    TrainProgress progress;
    std::unique_ptr<MergeLoop> loop;
};

}  // namespace

std::vector<Stage> train_stages(const Workload& w) {
    std::vector<Stage> stages;
    const auto first = std::make_shared<std::unique_ptr<CountTable>>();
    stages.push_back({"count pretokens, first pass", "pretoken", "bare table probe",
                      [first] { *first = std::make_unique<CountTable>(); },
                      [&w, first] { return count_all(w, **first); }});
    const auto again = std::make_shared<CountTable>();
    count_all(w, *again);
    stages.push_back(
        {"count pretokens, again", "pretoken", "bare table probe", {}, [&w, again] { return count_all(w, *again); }});
    // All of it, as fissile.count does on one thread: scanning, lines and the table.
    const auto counter = std::make_shared<std::unique_ptr<TextCounter>>();
    stages.push_back({"count a text", "byte", "scan, hash and probe",
                      [&w, counter] {
                          CountOptions options;
                          options.pattern = w.pattern;
                          *counter = std::make_unique<TextCounter>(options);
                      },
                      [&w, counter] {
                          const Bytes text = w.bytes();
                          (*counter)->add_texts({{text.data(), text.size(), TextKind::kUtf8}}, 1, 1,
                                                [] { return true; });
                          return text.size();
                      }});
    const auto training = std::make_shared<std::unique_ptr<Training>>();
    stages.push_back({"merge a corpus", "pair update", "count at random",
                      [&w, training] { *training = std::make_unique<Training>(w); },
                      [training] { return (*training)->loop->run().n_joins; }});
    return stages;
}

}  // namespace micro
