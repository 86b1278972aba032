#include "train/superword_runs.hpp"

#include <algorithm>
#include <exception>

#include "cpu/hash.hpp"
#include "cpu/run_on_threads.hpp"
#include "text/unicode_class.hpp"
#include "text/utf8.hpp"

namespace fissile {

namespace {

constexpr std::size_t kPortionBytes = std::size_t{1} << 20;  // that lines are dealt to threads by
constexpr std::size_t kSpans = 1024;

bool holds_letter(Bytes token) {
    for (std::size_t i = 0; i < token.size();) {
        const Char c = decode_char(token.data() + i, token.size() - i);
        if ((char_flags(c.code_point) & kLetter) != 0) return true;
        i += c.n_bytes;
    }
    return false;
}

std::uint64_t hash_of(const TokenId* ids, std::size_t n) {
    return hash_bytes(reinterpret_cast<const std::uint8_t*>(ids), n * sizeof(TokenId));
}

}  // namespace

RunCounter::RunCounter(std::shared_ptr<const Vocabulary> vocabulary, Pattern pattern, bool by_line, unsigned n_threads)
    : vocabulary_(std::move(vocabulary)), scan_(scanner_for(pattern)), by_line_(by_line), tables_(n_threads) {
    const Vocabulary& v = *vocabulary_;
    is_word_.resize(v.n_vocab());
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        is_word_[id] = v.is_model(id) && v.is_reachable(id) && holds_letter(v.token_bytes(id));
    }
    // A lone byte that is a letter is a word too, though nothing merges it.
    for (unsigned byte = 0; byte < 256; ++byte) {
        const TokenId id = v.byte_symbol(static_cast<std::uint8_t>(byte));
        if (id != kNoToken && v.is_model(id)) is_word_[id] = holds_letter(v.token_bytes(id));
    }
    for (Table& table : tables_) table.slots.resize(1 << 12);
}

void RunCounter::Table::grow() {
    slots.assign(slots.size() * 2, 0);
    const std::size_t mask = slots.size() - 1;
    for (std::size_t place = 0; place < tags.size(); ++place) {
        std::size_t slot = tags[place] & mask;
        while (slots[slot] != 0) slot = (slot + 1) & mask;
        slots[slot] = static_cast<std::uint32_t>(place + 1);
    }
}

void RunCounter::Table::count(const TokenId* ids, std::size_t n, std::uint64_t weight) {
    const auto tag = static_cast<std::uint32_t>(hash_of(ids, n) >> 32);
    const std::size_t mask = slots.size() - 1;
    std::size_t slot = tag & mask;
    for (; slots[slot] != 0; slot = (slot + 1) & mask) {
        const std::size_t place = slots[slot] - 1;
        if (tags[place] != tag) continue;
        const std::uint64_t begin = place == 0 ? 0 : runs.ends[place - 1];
        if (runs.ends[place] - begin != n || !std::equal(ids, ids + n, runs.ids.data() + begin)) continue;
        runs.counts[place] += weight;
        return;
    }
    if (tags.size() == 0xfffffffe) throw Error("more than 4294967294 distinct runs of words: train on a sample");
    runs.ids.insert(runs.ids.end(), ids, ids + n);
    runs.ends.push_back(runs.ids.size());
    runs.counts.push_back(weight);
    tags.push_back(tag);
    slots[slot] = static_cast<std::uint32_t>(tags.size());
    if (tags.size() * 3 > slots.size() * 2) grow();
}

void RunCounter::read(Bytes text, std::uint64_t weight, Table& table, Interrupt& interrupt,
                      std::atomic<std::uint64_t>& n_read) const {
    std::vector<TokenId>& run = table.run;
    const auto end_run = [&] {
        if (run.size() > 1) table.count(run.data(), run.size(), weight);
        run.clear();
    };
    table.span_ends.resize(kSpans);
    std::size_t n_told = 0;
    const auto tell = [&](std::size_t n) {
        n_read.fetch_add(n - n_told, std::memory_order_relaxed);
        n_told = n;
    };
    constexpr std::size_t kLongest = std::size_t{1} << 31;  // the scanner's positions are 32 bits wide
    if (text.size() > kLongest && !by_line_) throw Error("a document of more than 2 GiB");
    for (std::size_t begin = 0; begin < text.size();) {
        Bytes part = text.subspan(begin);
        if (by_line_) {
            const auto newline = std::find(part.begin(), part.end(), std::uint8_t{'\n'});
            if (newline != part.end()) part = part.first(static_cast<std::size_t>(newline - part.begin()) + 1);
        }
        begin += part.size();
        std::size_t from = 0;
        for (std::size_t position = 0; position < part.size();) {
            interrupt.check();
            const ScanResult found = scan_(part, position, table.span_ends.data(), kSpans);
            position = found.position;
            tell(begin - part.size() + position);
            for (std::size_t i = 0; i < found.n_spans; ++i) {
                const std::size_t to = table.span_ends[i];
                const TokenId id = vocabulary_->find(part.subspan(from, to - from));
                if (id != kNoToken && is_word_[id]) {
                    run.push_back(id);
                } else {
                    end_run();
                }
                from = to;
            }
        }
        end_run();
    }
}

void RunCounter::add(const std::vector<Bytes>& documents, std::uint64_t weight, Interrupt& interrupt,
                     std::atomic<std::uint64_t>& n_read) {
    std::vector<Bytes> portions;
    for (Bytes document : documents) {
        while (by_line_ && document.size() > kPortionBytes) {
            const auto newline = std::find(document.begin() + kPortionBytes, document.end(), std::uint8_t{'\n'});
            if (newline == document.end()) break;
            const auto size = static_cast<std::size_t>(newline - document.begin()) + 1;
            portions.push_back(document.first(size));
            document = document.subspan(size);
        }
        portions.push_back(document);
    }
    std::atomic<std::size_t> next{0};
    std::vector<std::exception_ptr> errors(tables_.size());
    const auto work = [&](std::size_t thread) {
        try {
            for (std::size_t i = next++; i < portions.size(); i = next++) {
                read(portions[i], weight, tables_[thread], interrupt, n_read);
            }
        } catch (...) {
            errors[thread] = std::current_exception();
            interrupt.stop();
        }
    };
    const std::exception_ptr interrupted = run_on_threads(static_cast<unsigned>(tables_.size()), interrupt, work);
    errors.push_back(interrupted);
    for (const std::exception_ptr& error : errors) {
        if (error) std::rethrow_exception(error);
    }
}

TokenRuns RunCounter::take() {
    for (std::size_t t = 1; t < tables_.size(); ++t) {
        const TokenRuns& runs = tables_[t].runs;
        std::uint64_t begin = 0;
        for (std::size_t i = 0; i < runs.ends.size(); ++i) {
            tables_[0].count(runs.ids.data() + begin, runs.ends[i] - begin, runs.counts[i]);
            begin = runs.ends[i];
        }
        tables_[t].runs = TokenRuns();
    }
    TokenRuns all = std::move(tables_[0].runs);
    for (Table& table : tables_) {
        table = Table();
        table.slots.resize(1 << 12);
    }
    return all;
}

}  // namespace fissile
