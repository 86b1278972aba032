// Counting on several threads is counting on one: tables, spilled runs, merged ranges, portions of texts and of a file.
// Run under ThreadSanitizer and AddressSanitizer by the presets of these names.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "check.hpp"
#include "train/count_sort.hpp"
#include "train/count_text.hpp"

using namespace fissile;

namespace {

using Counts = std::map<std::string, std::uint64_t>;

Counts plain(const PretokenCounts& counts) {
    Counts map;
    std::string last;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const std::string pretoken(as_chars(counts[i]));
        CHECK(i == 0 || last < pretoken);
        map[pretoken] = counts.counts[i];
        last = pretoken;
    }
    return map;
}

// Words of 1 to 40 bytes, some of them many times, on lines.
std::string make_text(unsigned seed, std::size_t n_words) {
    std::mt19937 random(seed);
    std::string text;
    for (std::size_t i = 0; i < n_words; ++i) {
        const unsigned word = random() % (1 + random() % 20000);
        text += 'w';
        text += std::to_string(word);
        text.append(word % 3 == 0 ? word % 37 : 0, 'x');
        text += word % 11 == 0 ? '\n' : ' ';
    }
    return text;
}

std::vector<TextView> views_of(const std::vector<std::string>& texts) {
    std::vector<TextView> views;
    for (const std::string& text : texts) views.push_back({text.data(), text.size(), TextKind::kUtf8});
    return views;
}

}  // namespace

int main() {
    const std::filesystem::path directory =
        std::filesystem::temp_directory_path() / ("fissile-counting-" + std::to_string(std::random_device()()));
    std::filesystem::create_directory(directory);

    // One text, counted in all ways.
    const std::string text = make_text(1, 120000);
    const std::string path = (directory / "text").string();
    std::ofstream(path, std::ios::binary) << text;
    for (const Sequence sequence : {Sequence::kLine, Sequence::kDocument}) {
        Counts expected;
        std::string file_of_one;
        for (const unsigned n_threads : {1u, 4u}) {
            for (const std::size_t memory : {std::size_t{0}, std::size_t{1}}) {
                CountOptions options;
                options.pattern = Pattern::kGpt2;
                options.sequence = sequence;
                options.n_threads = n_threads;
                options.memory_bytes = memory;
                options.portion_bytes = n_threads == 1 ? text.size() : 5000;
                const auto counter = [&](const char* name) {
                    options.spill_directory = (directory / name).string();
                    std::filesystem::create_directory(options.spill_directory);
                    return std::make_unique<TextCounter>(options);
                };
                const auto texts = counter("1"), files = counter("2"), to_file = counter("3");
                texts->add_texts(views_of({text.substr(0, 0), text, text}), 3, 3, {});
                files->add_files({{path, text.size(), 2}, {path, text.size(), 4}}, {});
                to_file->add_files({{path, text.size(), 6}}, {});
                const Counts found = plain(texts->finish({}).counts);
                if (expected.empty()) expected = found;
                CHECK(found == expected);
                CHECK(plain(files->finish({}).counts) == expected);
                CHECK((texts->n_runs() > 2) == (memory == 1));
                const std::string out = (directory / "counts").string();
                to_file->finish_to_file(out, {});
                Interrupt interrupt({});
                CHECK(plain(load_counts(out, interrupt).counts) == expected);
                std::ifstream in(out, std::ios::binary);
                const std::string bytes{std::istreambuf_iterator<char>(in), {}};
                if (file_of_one.empty()) file_of_one = bytes;
                CHECK(bytes == file_of_one);
            }
        }
        CHECK(expected.size() > 10000);
    }
    {
        // Pretokens of each length at the end of a text, where nothing behind them may be read: those that are keys of
        // one or two sizes, and longer ones; few longer ones at a time, and many.
        std::vector<std::string> texts;
        Counts expected;
        for (const std::size_t n_others : {0, 3000}) {
            for (std::size_t n_bytes = 1; n_bytes < 70; ++n_bytes) {
                std::string words;
                for (std::size_t i = 0; i < n_others; ++i) words += i % 2 == 0 ? "7" : std::string(n_bytes, 'y');
                for (const std::string& last : {std::string(n_bytes, 'x'), std::string(n_bytes - 1, 'x') + "z"}) {
                    texts.push_back(words + "7" + last);
                    texts.back().shrink_to_fit();
                    ++expected[last];
                    expected["7"] += 1 + n_others / 2;
                    if (n_others != 0) expected[std::string(n_bytes, 'y')] += n_others / 2;
                }
            }
        }
        TextCounter counter(CountOptions{});
        counter.add_texts(views_of(texts), 1, texts.size(), {});
        CHECK(plain(counter.finish({}).counts) == expected);
    }
    {
        // More pretokens than the front table holds, which put each other out of it again and again; with what fits the
        // tables, and with a budget that has a front table and is gone over several times.
        std::mt19937 random(7);
        std::vector<std::string> texts;
        Counts expected;
        for (unsigned i = 0; i < 40; ++i) {
            std::string& text = texts.emplace_back();
            for (unsigned k = 0; k < 10000; ++k) {
                // Every third one comes again at once, as what a batch brings in may be in it once more.
                const unsigned word = random() % (k % 2 == 0 ? 100 : 60000);
                std::string pretoken = std::string(text.empty() ? "" : " ") + std::string(1 + word % 5, 'a');
                for (unsigned rest = word; rest != 0; rest /= 26) pretoken += static_cast<char>('a' + rest % 26);
                for (unsigned times = word % 3 == 0 ? 2 : 1; times != 0; --times) {
                    ++expected[pretoken];
                    text += pretoken;
                    if (pretoken[0] != ' ') pretoken.insert(0, 1, ' ');
                }
            }
        }
        CHECK(expected.size() > 50000);
        for (const std::size_t memory : {std::size_t{0}, std::size_t{3} << 20}) {
            CountOptions options;
            options.memory_bytes = memory;
            options.spill_directory = directory.string();
            TextCounter counter(options);
            counter.add_texts(views_of(texts), 1, texts.size(), {});
            CHECK((counter.n_runs() > 1) == (memory != 0));
            CHECK(plain(counter.finish({}).counts) == expected);
        }
    }
    {
        // The first place to divide a document is the first that divides it.
        std::mt19937 random(9);
        const std::string bytes = "x7. \n\x80\xd0\xb6\xc3\xa9";
        for (const Pattern pattern : {Pattern::kSuperbpe, Pattern::kGpt2}) {
            const SequenceRule rule(pattern, Sequence::kDocument, true);
            for (std::size_t size = 2; size < 300; ++size) {
                const std::size_t n_kinds = 1 + random() % bytes.size();
                std::string text;
                for (std::size_t i = 0; i < size; ++i) {
                    text += random() % 16 == 0 ? bytes[random() % bytes.size()] : bytes[random() % n_kinds];
                }
                text.shrink_to_fit();
                const TextView view{text.data(), text.size(), TextKind::kUtf8};
                for (std::size_t from = 1; from < size; from += 1 + random() % 7) {
                    std::size_t first = from;
                    while (first < size && !rule.divides(view, first)) ++first;
                    CHECK(rule.first_division(as_bytes(text), from) == (first < size ? first : SequenceRule::npos));
                }
            }
        }
    }
    {
        // Pretokens that somebody else finds: here words without the white space between them.
        const auto words = [](Bytes stretch, bool, std::vector<std::uint8_t>& rewritten,
                              std::vector<std::int64_t>& ends, TextSteps::Sources*) {
            rewritten.clear();
            ends.assign(1, 0);  // pieces of nothing do not count
            for (std::size_t i = 0; i < stretch.size(); ++i) {
                if (stretch[i] != ' ' && stretch[i] != '\n') {
                    rewritten.push_back(stretch[i]);
                } else if (ends.back() != static_cast<std::int64_t>(rewritten.size())) {
                    ends.push_back(static_cast<std::int64_t>(rewritten.size()));
                }
            }
            ends.push_back(static_cast<std::int64_t>(rewritten.size()));
        };
        Counts expected;
        std::string word;
        for (const char letter : text) {
            if (letter != ' ' && letter != '\n') {
                word += letter;
            } else if (!word.empty()) {
                ++expected[word];
                word.clear();
            }
        }
        for (const unsigned n_threads : {1u, 4u}) {
            for (const std::size_t memory : {std::size_t{0}, std::size_t{1}}) {
                CountOptions options;
                options.pattern = Pattern::kNone;
                options.split = words;
                options.split_name = "\\S+";
                options.n_threads = n_threads;
                options.memory_bytes = memory;
                options.portion_bytes = 5000;
                options.spill_directory = directory.string();
                TextCounter counter(options);
                counter.add_files({{path, text.size(), 1}}, {});
                const CountedText counted = counter.finish({});
                CHECK(plain(counted.counts) == expected);
                CHECK(counted.info.pattern == "\\S+");
            }
        }
    }
    {
        // An error in one portion reaches the caller, and the earliest one of several.
        const std::u16string bad = u"a\xd800";
        std::vector<TextView> views(1000, TextView{text.data(), 100, TextKind::kUtf8});
        views[700] = views[900] = {bad.data(), bad.size(), TextKind::kUcs2};
        CountOptions options;
        options.n_threads = 4;
        options.portion_bytes = 1;
        TextCounter counter(options);
        CHECK_THROWS(counter.add_texts(views, 1, 1, {}), Error, "texts[700]: lone surrogate at character 1");
    }
    {
        // Work that is told to stop does, also what other threads are at.
        CountOptions options;
        options.n_threads = 3;
        TextCounter counter(options);
        const std::vector<TextView> views(20, TextView{text.data(), text.size(), TextKind::kUtf8});
        CHECK_THROWS(
            [&] {
                for (;;) counter.add_texts(views, 1, 1, [] { return false; });
            }(),
            Cancelled, "");
        TextCounter stopped(options);
        stopped.stop();
        CHECK_THROWS(
            [&] {
                for (;;) stopped.add_texts(views, 1, 1, {});
            }(),
            Cancelled, "");
    }
    {
        // Sums that do not fit in 64 bits.
        TextCounter counter(CountOptions{});
        const std::string two = "a b";
        CHECK_THROWS(counter.add_texts(views_of({two}), ~std::uint64_t{0}, 1, {}), Error, "64 bits");
    }
    {
        // Sorting: groups of one prefix, groups of many.
        std::mt19937_64 random(7);
        std::vector<CountTable::Short> records;
        for (unsigned i = 0; i < 50000; ++i) {
            records.push_back({random() % 3 == 0 ? 5 : random() >> random() % 64, random() % 100, i});
        }
        auto expected = records;
        const auto less = [](const CountTable::Short& a, const CountTable::Short& b) {
            return std::tie(a.low, a.high, a.count) < std::tie(b.low, b.high, b.count);
        };
        std::sort(expected.begin(), expected.end(), less);
        Interrupt interrupt({});
        sort_by_prefix(
            records.data(), records.size(), [](const CountTable::Short& r) { return r.low; }, less, interrupt);
        bool equal = true;
        for (std::size_t i = 0; i < records.size(); ++i) equal &= records[i].count == expected[i].count;
        CHECK(equal);
    }
    std::filesystem::remove_all(directory);
    return check::result();
}
