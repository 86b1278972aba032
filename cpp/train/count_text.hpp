// Counting the pretokens of a corpus: texts in, of any number of calls; their distinct pretokens out.
//
//   text --special tokens--> stretches --sequences, scanner--> pretokens --a thread's CountTable--> counts
//        --over the byte budget--> sorted runs on disk        tables and runs --merge--> one sorted list
//
// Threads share nothing but the number of the next portion of text. A file is read in portions, each from the first to
// the last place in it where text may be divided (count_sequences.hpp), so nothing is held whole but a stretch that
// cannot be divided. The result is a sorted list: it does not depend on threads, portions, budget or order of texts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "encode/encoder.hpp"
#include "encode/special_tokens.hpp"
#include "encode/text_view.hpp"
#include "pretokenize/pretokenizer.hpp"
#include "train/count_sequences.hpp"
#include "train/counts_file.hpp"

namespace fissile {

struct CountOptions {
    Pattern pattern = Pattern::kCl100k;
    // Where the pattern is none of the core's: what finds the pretokens of a text, lines and all (ends, and the bytes
    // that they are ends in), and the name for the result's info. `pattern` is then kNone.
    TextSteps::Split split;
    std::string split_name;
    Sequence sequence = Sequence::kLine;
    std::vector<std::string> special_tokens;  // texts that are cut out before anything else, and not counted
    unsigned n_threads = 1;
    std::size_t memory_bytes = 0;  // for all tables; 0: no limit. A thread keeps at least 64 KiB.
    std::string spill_directory;   // exists, if there is a limit; who made it removes it
    std::size_t portion_bytes = std::size_t{1} << 19;
    std::uint64_t scale = 1;  // for the result's info
};

class TextCounter {
   public:
    explicit TextCounter(CountOptions options);
    ~TextCounter();

    // A file of text, size bytes long, each occurrence counting `weight`.
    struct File {
        std::string path;
        std::uint64_t n_bytes;
        std::uint64_t weight;
    };

    // After an exception of one of these the counter is of no use. Errors name the file or texts[i].
    // `keep_going` as in cpu/interrupt.hpp.
    void add_files(const std::vector<File>& files, const std::function<bool()>& keep_going);
    // n_documents: how many documents the texts are, as they may be parts of one.
    void add_texts(const std::vector<TextView>& texts, std::uint64_t weight, std::uint64_t n_documents,
                   const std::function<bool()>& keep_going);

    // Ends a call that another thread is in, which throws Cancelled, and all later ones.
    void stop() { stopped_.store(true, std::memory_order_relaxed); }

    // What was counted, in memory or as a file. Ends the counter's use.
    CountedText finish(const std::function<bool()>& keep_going);
    CountsInfo finish_to_file(const std::string& path, const std::function<bool()>& keep_going);

    // Where a text that goes on may be divided, the last such place; 0 if there is none.
    std::size_t last_division(Bytes text) const { return rule_.last_division(text); }
    // Bytes of text counted so far; may be read while counting goes on.
    std::uint64_t n_bytes() const { return n_bytes_.load(std::memory_order_relaxed); }
    // Sorted runs on disk, so far.
    std::size_t n_runs() const;

   private:
    struct Worker;

    Worker& worker(unsigned index) { return *workers_[index]; }
    void prepare_workers();
    void count_file(Worker& worker, const File& file, std::uint64_t begin, Interrupt& interrupt);
    void count(Worker& worker, Bytes text, std::uint64_t weight, Interrupt& interrupt);
    void count_stretch(Worker& worker, Bytes text, std::uint64_t weight, Interrupt& interrupt);
    void count_split(Worker& worker, Bytes text, std::uint64_t weight, Interrupt& interrupt);
    void add(Worker& worker, Bytes text, std::size_t begin, std::size_t end, std::size_t n, std::uint64_t weight,
             Interrupt& interrupt);
    void spill(Worker& worker, Interrupt& interrupt);
    std::vector<CountTable::Sorted> sort_tables(Interrupt& interrupt);
    std::vector<std::unique_ptr<CountSource>> all_sources(const std::vector<CountTable::Sorted>& tables,
                                                          Interrupt& interrupt);
    CountsInfo info() const;
    std::function<bool()> unless_stopped(const std::function<bool()>& keep_going) const;

    CountOptions options_;
    SequenceRule rule_;
    std::optional<SpecialTokens> specials_;
    ScanFunction scan_lines_;  // null: each sequence is scanned by itself
    ScanFunction scan_;
    std::size_t table_bytes_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::string> runs_;
    std::uint64_t n_documents_ = 0;
    std::atomic<std::uint64_t> n_bytes_{0}, n_runs_{0};
    std::atomic<bool> stopped_{false};
};

}  // namespace fissile
