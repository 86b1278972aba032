#include "train/count_text.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "cpu/portions.hpp"

namespace fissile {

namespace {

constexpr std::size_t kLeastTableBytes = std::size_t{64} << 10;
// Scanners take less than 4 GiB at a time.
constexpr std::size_t kMaxStretch = std::size_t{1} << 31;
// Read in front of a portion, to see the character before it, and behind it, in search of a division.
constexpr std::size_t kBefore = 4;
constexpr std::size_t kBehind = std::size_t{4} << 10;
// Units of a text, and bytes of a file, in which a division is looked for between two looks at an interrupt.
constexpr std::size_t kSoughtAtOnce = std::size_t{1} << 20;
constexpr std::size_t kMostReadAtOnce = std::size_t{16} << 20;
// Runs merged at a time: each has a file open.
constexpr std::size_t kMaxRuns = 128;

std::vector<AddedToken> added_tokens(const std::vector<std::string>& texts) {
    std::vector<AddedToken> tokens;
    for (const std::string& text : texts) tokens.push_back({text, 0, kTokenSpecial});
    return tokens;
}

// A special token in which a text could be divided would be missed.
bool may_divide(const std::vector<std::string>& special_tokens) {
    return std::none_of(special_tokens.begin(), special_tokens.end(),
                        [](const std::string& text) { return text.find_first_of(" \n") != std::string::npos; });
}

}  // namespace

// What one thread has.
struct TextCounter::Worker {
    CountTable table;
    std::vector<std::string> runs;
    std::uint64_t total = 0;  // sum of the counts
    Utf8Buffer utf8;
    std::string open_path;
    std::ifstream file;
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t capacity = 0;
    std::uint32_t ends[CountTable::kBatch];
    // What TextCounter::split gave.
    std::vector<std::uint8_t> split_text;
    std::vector<std::int64_t> split_ends;

    // The next n bytes of the file, to bytes[n_read, ...).
    void read(std::size_t n_read, std::size_t n, std::uint64_t offset) {
        if (capacity < n_read + n) {
            capacity = std::max(n_read + n, capacity * 2);
            std::unique_ptr<std::uint8_t[]> bigger(new std::uint8_t[capacity]);
            std::copy_n(bytes.get(), n_read, bigger.get());
            bytes = std::move(bigger);
        }
        if (file.read(reinterpret_cast<char*>(bytes.get()) + n_read, static_cast<std::streamsize>(n))) return;
        if (!file.eof()) throw IoError(open_path, errno);
        throw Error(open_path + ": found the end at byte " +
                    std::to_string(offset + static_cast<std::uint64_t>(file.gcount())) + ", expected byte " +
                    std::to_string(offset + n) + ": the file was changed while it was read");
    }
};

TextCounter::TextCounter(CountOptions options)
    : options_(std::move(options)),
      rule_(options_.pattern, options_.sequence, may_divide(options_.special_tokens)),
      scan_lines_(options_.sequence == Sequence::kLine ? line_scanner_for(options_.pattern) : nullptr),
      scan_(scan_lines_ != nullptr ? scan_lines_ : scanner_for(options_.pattern)) {
    if (!options_.special_tokens.empty()) specials_.emplace(added_tokens(options_.special_tokens));
    options_.n_threads = std::max(options_.n_threads, 1u);
    table_bytes_ = options_.memory_bytes == 0 ? static_cast<std::size_t>(-1)
                                              : std::max(options_.memory_bytes / options_.n_threads, kLeastTableBytes);
}

TextCounter::~TextCounter() = default;

void TextCounter::prepare_workers() {
    while (workers_.size() < options_.n_threads) workers_.push_back(std::make_unique<Worker>());
}

std::function<bool()> TextCounter::unless_stopped(const std::function<bool()>& keep_going) const {
    return [this, &keep_going] { return !stopped_.load(std::memory_order_relaxed) && (!keep_going || keep_going()); };
}

std::size_t TextCounter::n_runs() const { return n_runs_.load(std::memory_order_relaxed); }

// --- texts and files -------------------------------------------------------------------------------------------------

void TextCounter::add_files(const std::vector<File>& files, const std::function<bool()>& keep_going) {
    struct Portion {
        const File* file;
        std::uint64_t begin;
    };
    std::vector<Portion> portions;
    for (const File& file : files) {
        for (std::uint64_t begin = 0; begin < file.n_bytes; begin += options_.portion_bytes) {
            portions.push_back({&file, begin});
            if (!rule_.may_divide()) break;
        }
    }
    n_documents_ += files.size();
    prepare_workers();
    Interrupt interrupt(unless_stopped(keep_going));
    run_portions(portions.size(), options_.n_threads, interrupt, [&](unsigned thread, std::size_t i) {
        count_file(worker(thread), *portions[i].file, portions[i].begin, interrupt);
    });
    for (const auto& w : workers_) {
        w->file.close();
        w->open_path.clear();
    }
}

// From the first division in [begin, begin + portion) to the first one behind it; the file's ends are divisions.
void TextCounter::count_file(Worker& w, const File& file, std::uint64_t begin, Interrupt& interrupt) {
    if (w.open_path != file.path) {
        w.file = std::ifstream();
        w.file.rdbuf()->pubsetbuf(nullptr, 0);  // all reads are large
        w.file.open(std::filesystem::path(std::u8string(file.path.begin(), file.path.end())), std::ios::binary);
        if (!w.file) throw IoError(file.path, errno);
        w.open_path = file.path;
    }
    const std::size_t before = static_cast<std::size_t>(std::min<std::uint64_t>(begin, kBefore));
    const std::uint64_t base = begin - before;  // what w.bytes[0] is in the file
    const std::uint64_t end =
        rule_.may_divide() ? std::min<std::uint64_t>(file.n_bytes, begin + options_.portion_bytes) : file.n_bytes;
    std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(file.n_bytes, end + kBehind) - base);
    w.file.clear();
    w.file.seekg(static_cast<std::streamoff>(base));
    w.read(0, n, base);
    const std::size_t portion_end = static_cast<std::size_t>(end - base);
    std::size_t first = 0;
    if (begin != 0) {
        first = rule_.first_division({w.bytes.get(), n}, before);
        if (first >= portion_end) return;
    }
    std::size_t last = n;
    if (end != file.n_bytes) {
        for (std::size_t from = portion_end;;) {
            last = rule_.first_division({w.bytes.get(), n}, from);
            if (last != SequenceRule::npos) break;
            from = n;
            last = n;
            if (base + n == file.n_bytes) break;
            interrupt.check_now();
            const std::size_t more = static_cast<std::size_t>(
                std::min<std::uint64_t>(file.n_bytes - base - n, std::min(n, kMostReadAtOnce)));
            w.read(n, more, base + n);
            n += more;
        }
    }
    try {
        count(w, {w.bytes.get() + first, last - first}, file.weight, interrupt);
    } catch (const Cancelled&) {
        throw;
    } catch (const IoError&) {
        throw;
    } catch (const Error& error) {
        throw Error(file.path + ": " + error.what());
    }
}

void TextCounter::add_texts(const std::vector<TextView>& texts, std::uint64_t weight, std::uint64_t n_documents,
                            const std::function<bool()>& keep_going) {
    struct Portion {
        std::size_t first_text, n_texts;  // n_texts == 0: the part [begin, end) of first_text
        std::size_t begin = 0, end = 0;   // in units of the text
    };
    std::vector<Portion> portions;
    Interrupt interrupt(unless_stopped(keep_going));
    std::size_t from = 0, size = 0;
    const auto close = [&](std::size_t to) {
        if (from < to) portions.push_back({from, to - from});
        from = to;
        size = 0;
    };
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const TextView& text = texts[i];
        if (text.length >= 2 * options_.portion_bytes) {
            close(i);
            for (std::size_t begin = 0; begin < text.length;) {
                std::size_t end = std::min(text.length, begin + options_.portion_bytes);
                while (end < text.length && !(rule_.may_divide() && rule_.divides(text, end))) {
                    end = rule_.may_divide() ? end + 1 : text.length;
                    if (end % kSoughtAtOnce == 0) interrupt.check_now();
                }
                portions.push_back({i, 0, begin, end});
                begin = end;
            }
            from = i + 1;
        } else if ((size += text.length + 16) >= options_.portion_bytes) {
            close(i + 1);
        }
    }
    close(texts.size());

    n_documents_ += n_documents;
    prepare_workers();
    run_portions(portions.size(), options_.n_threads, interrupt, [&](unsigned thread, std::size_t p) {
        const Portion& portion = portions[p];
        for (std::size_t i = portion.first_text; i < portion.first_text + std::max<std::size_t>(portion.n_texts, 1);
             ++i) {
            const TextView text = portion.n_texts == 0 ? texts[i].part(portion.begin, portion.end) : texts[i];
            try {
                count(worker(thread), utf8_of(text, worker(thread).utf8, portion.begin, &interrupt), weight, interrupt);
            } catch (const Cancelled&) {
                throw;
            } catch (const IoError&) {
                throw;
            } catch (const Error& error) {
                throw Error("texts[" + std::to_string(i) + "]: " + error.what());
            }
        }
    });
}

// --- one text --------------------------------------------------------------------------------------------------------

void TextCounter::count(Worker& w, Bytes text, std::uint64_t weight, Interrupt& interrupt) {
    if (!specials_) {
        count_stretch(w, text, weight, interrupt);
    } else {
        const SpecialTokens::Wanted wanted(specials_->tokens().size(), 1);
        std::size_t position = 0;
        for (SpecialTokens::Match match = specials_->first(text, wanted);;
             match = specials_->next(text, match, wanted)) {
            count_stretch(w, text.subspan(position, match.begin - position), weight, interrupt);
            if (match.token == SpecialTokens::npos) break;
            position = match.end;
        }
    }
    n_bytes_.fetch_add(text.size(), std::memory_order_relaxed);
}

// Text that begins and ends where sequences do.
void TextCounter::count_stretch(Worker& w, Bytes text, std::uint64_t weight, Interrupt& interrupt) {
    if (text.size() > kMaxStretch) {
        throw Error("found " + std::to_string(text.size()) +
                    " bytes without a place to divide them, expected at most 2 GiB");
    }
    if (options_.split) return count_split(w, text, weight, interrupt);
    std::size_t n = 0, begin = 0, position = 0;
    const auto flush = [&] {
        add(w, text, begin, position, n, weight, interrupt);
        begin = position;
        n = 0;
    };
    while (position < text.size()) {
        const Bytes stretch = scan_lines_ != nullptr ? text : text.first(rule_.sequence_end(text, position));
        while (position < stretch.size()) {
            if (CountTable::kBatch - n < 64) flush();
            const ScanResult scanned = scan_(stretch, position, w.ends + n, CountTable::kBatch - n);
            n += scanned.n_spans;
            position = scanned.position;
        }
    }
    flush();
}

void TextCounter::count_split(Worker& w, Bytes text, std::uint64_t weight, Interrupt& interrupt) {
    interrupt.check_now();
    if (text.empty()) return;
    options_.split(text, true, w.split_text, w.split_ends, nullptr);
    const Bytes pretokens = w.split_text;
    std::size_t n = 0, begin = 0, position = 0;
    for (const std::int64_t end : w.split_ends) {
        if (static_cast<std::size_t>(end) == position) continue;
        position = static_cast<std::size_t>(end);
        w.ends[n++] = static_cast<std::uint32_t>(position);
        if (n == CountTable::kBatch) {
            add(w, pretokens, begin, position, n, weight, interrupt);
            begin = position;
            n = 0;
        }
    }
    add(w, pretokens, begin, position, n, weight, interrupt);
}

// Counts the n pretokens that w.ends holds, which lie in [begin, end) of a text.
void TextCounter::add(Worker& w, Bytes text, std::size_t begin, std::size_t end, std::size_t n, std::uint64_t weight,
                      Interrupt& interrupt) {
    if (n == 0) return;
    interrupt.check();
    while (!w.table.make_room(n, end - begin, table_bytes_)) spill(w, interrupt);
    w.table.add(text, begin, w.ends, n, weight);
    if (weight > ~w.total / n) throw Error("counts go over 64 bits");
    w.total += n * weight;
}

// --- the result ------------------------------------------------------------------------------------------------------

CountsInfo TextCounter::info() const {
    CountsInfo info;
    info.pattern = options_.split ? options_.split_name : std::string(pattern_name(options_.pattern));
    info.sequence = options_.sequence;
    info.scale = options_.scale;
    info.n_documents = n_documents_;
    info.n_bytes = n_bytes_.load(std::memory_order_relaxed);
    return info;
}

void TextCounter::spill(Worker& w, Interrupt& interrupt) {
    const CountTable::Sorted sorted = w.table.sort(interrupt);
    const std::string path =
        options_.spill_directory + "/" + std::to_string(n_runs_.fetch_add(1, std::memory_order_relaxed)) + ".run";
    std::vector<std::unique_ptr<CountSource>> sources;
    add_sources(sorted, sources);
    write_merged(path, info(), sources, interrupt);
    w.runs.push_back(path);
    w.table.clear();
}

std::vector<CountTable::Sorted> TextCounter::sort_tables(Interrupt& interrupt) {
    std::vector<CountTable::Sorted> tables(workers_.size());
    run_portions(workers_.size(), options_.n_threads, interrupt, [&](unsigned, std::size_t i) {
        tables[i] = workers_[i]->table.sort(interrupt);
        workers_[i]->table.give_back_places();
    });
    std::uint64_t total = 0;
    for (const auto& w : workers_) {
        total = add_counts(total, w->total);
        runs_.insert(runs_.end(), w->runs.begin(), w->runs.end());
        w->runs.clear();
    }
    return tables;
}

std::vector<std::unique_ptr<CountSource>> TextCounter::all_sources(const std::vector<CountTable::Sorted>& tables,
                                                                   Interrupt& interrupt) {
    const auto readers = [](const auto begin, const auto end) {
        std::vector<std::unique_ptr<CountSource>> sources;
        for (auto run = begin; run != end; ++run) sources.push_back(std::make_unique<CountsReader>(*run));
        return sources;
    };
    // More runs than files should be open: the oldest become one.
    while (runs_.size() > kMaxRuns) {
        const auto end = runs_.begin() + static_cast<std::ptrdiff_t>(kMaxRuns);
        const std::string path = options_.spill_directory + "/" + std::to_string(n_runs_.fetch_add(1)) + ".run";
        write_merged(path, info(), readers(runs_.begin(), end), interrupt);
        std::for_each(runs_.begin(), end, [](const std::string& run) { std::filesystem::remove(run); });
        runs_.erase(runs_.begin(), end);
        runs_.push_back(path);
    }
    auto sources = readers(runs_.begin(), runs_.end());
    for (const CountTable::Sorted& table : tables) add_sources(table, sources);
    return sources;
}

CountedText TextCounter::finish(const std::function<bool()>& keep_going) {
    Interrupt interrupt(keep_going);
    const std::vector<CountTable::Sorted> tables = sort_tables(interrupt);
    CountedText counted{info(), {}};
    if (runs_.empty()) {
        counted.counts = merge_tables(tables, options_.n_threads, interrupt);
    } else {
        merge_counts(
            all_sources(tables, interrupt),
            [&](Bytes pretoken, std::uint64_t count) { counted.counts.append(pretoken, count); }, interrupt);
    }
    workers_.clear();
    return counted;
}

CountsInfo TextCounter::finish_to_file(const std::string& path, const std::function<bool()>& keep_going) {
    Interrupt interrupt(keep_going);
    const std::vector<CountTable::Sorted> tables = sort_tables(interrupt);
    write_merged(path, info(), all_sources(tables, interrupt), interrupt);
    workers_.clear();
    return info();
}

}  // namespace fissile
