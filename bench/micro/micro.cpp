// Each stage of the engine alone, in nanoseconds a unit, beside what the machine allows in the same run.
//
//     micro [--text FILE] [--ranks FILE] [--pattern NAME] [--bytes N] [--vocab N] [--rounds N] [--only PARTS] [--json]
//     micro --once [--only PARTS]      each stage once, for counting instructions (bench/check.py)
//
// --once prints the compiler, and of each stage how many units, the unit and the name. PARTS are parts of names of
// stages, with semicolons between them; limits of those that are asked for come with them.
//
// Without files the text is made up and the vocabulary trained on it. FISSILE_ISA chooses the kernels. Stages take
// turns, so that a slow moment of the machine hits all of them; figures are medians with the least and the greatest.
// Which is measured is CPU time: on a busy machine it is what is left to compare.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <set>

#include "cpu/isa.hpp"
#include "stage.hpp"
#include "vocab/rank_file.hpp"

volatile std::uint64_t micro::sink = 0;

// What instructions are counted in. Named in C, so that a tool finds it by its name; not inlined, so that it is there.
extern "C" {
#if defined(__GNUC__)
__attribute__((noinline))
#endif
std::uint64_t
fissile_measured(const micro::Stage& stage);
}

std::uint64_t fissile_measured(const micro::Stage& stage) { return stage.run(); }

namespace {

using namespace micro;

#if defined(__clang__)
constexpr const char* kCompiler = "clang " __clang_version__;
#elif defined(__GNUC__)
constexpr const char* kCompiler = "gcc " __VERSION__;
#else
constexpr const char* kCompiler = "other";
#endif

struct Options {
    std::string text, ranks, pattern = "cl100k", only;
    std::size_t n_bytes = 4000000, n_vocab = 16000, rounds = 7;
    bool once = false, json = false;
};

[[noreturn]] void fail(const std::string& what) { throw Error(what); }

std::size_t number(const std::string& name, const std::string& value) {
    if (value.empty() || value.size() > 12 || value.find_first_not_of("0123456789") != std::string::npos ||
        std::stoull(value) == 0) {
        fail(name + " must be a positive number, not '" + value + "'");
    }
    return std::stoull(value);
}

Options parse(int n_arguments, char** arguments) {
    Options options;
    const std::map<std::string, std::string*> texts{{"--text", &options.text},
                                                    {"--ranks", &options.ranks},
                                                    {"--pattern", &options.pattern},
                                                    {"--only", &options.only}};
    const std::map<std::string, std::size_t*> numbers{
        {"--bytes", &options.n_bytes}, {"--vocab", &options.n_vocab}, {"--rounds", &options.rounds}};
    for (int i = 1; i < n_arguments; ++i) {
        const std::string name = arguments[i];
        if (name == "--once" || name == "--json") {
            (name == "--once" ? options.once : options.json) = true;
            continue;
        }
        if (!texts.contains(name) && !numbers.contains(name)) fail("unknown argument '" + name + "'");
        if (i + 1 == n_arguments) fail(name + " needs a value");
        const std::string value = arguments[++i];
        if (texts.contains(name)) {
            *texts.at(name) = value;
        } else {
            *numbers.at(name) = number(name, value);
        }
    }
    return options;
}

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) fail(path + ": cannot be read");
    return {std::istreambuf_iterator<char>(file), {}};
}

Workload workload_of(const Options& options) {
    const std::optional<Pattern> pattern = pattern_from_name(options.pattern);
    if (!pattern) fail("pattern '" + options.pattern + "' is not known");
    std::string text = options.text.empty() ? made_up_text(options.n_bytes) : content_of(options.text);
    if (text.size() > options.n_bytes) text.resize(options.n_bytes);
    std::shared_ptr<const Vocabulary> vocabulary;
    if (!options.ranks.empty()) {
        const std::string ranks = content_of(options.ranks);
        vocabulary = vocabulary_from_rank_file(as_bytes(ranks), {}, options.ranks);
    }
    return Workload(std::move(text), *pattern, std::move(vocabulary), options.n_vocab);
}

double cpu_seconds() {
#if defined(CLOCK_PROCESS_CPUTIME_ID)
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
#else
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
#endif
}

// Nanoseconds a unit, of one run.
double time_once(const Stage& stage) {
    if (stage.prepare) stage.prepare();
    const double began = cpu_seconds();
    const std::uint64_t n = fissile_measured(stage);
    return (cpu_seconds() - began) * 1e9 / static_cast<double>(std::max<std::uint64_t>(n, 1));
}

struct Figures {
    double median, least, greatest;
};

Figures figures_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return {values[values.size() / 2], values.front(), values.back()};
}

void print_table(const std::vector<Stage>& stages, const std::map<std::string, Figures>& figures) {
    std::printf("| stage | ns | least | greatest | a | times its limit | limit |\n|---|---:|---:|---:|---|---:|---|\n");
    for (const Stage& stage : stages) {
        const Figures& f = figures.at(stage.name);
        std::printf("| %s | %.3f | %.3f | %.3f | %s |", stage.name.c_str(), f.median, f.least, f.greatest,
                    stage.unit.c_str());
        if (figures.contains(stage.limit)) {
            std::printf(" %.1f | %s |\n", f.median / figures.at(stage.limit).median, stage.limit.c_str());
        } else {
            std::printf(" | |\n");
        }
    }
}

void print_json(const std::vector<Stage>& stages, const std::map<std::string, Figures>& figures) {
    std::printf("{\"isa\": \"%s\", \"stages\": {", std::string(isa_name(chosen_isa())).c_str());
    for (const Stage& stage : stages) {
        const Figures& f = figures.at(stage.name);
        std::printf(
            "%s\n \"%s\": {\"ns\": %.4f, \"least\": %.4f, \"greatest\": %.4f, \"unit\": \"%s\", \"limit\": \"%s\"}",
            &stage == &stages.front() ? "" : ",", stage.name.c_str(), f.median, f.least, f.greatest, stage.unit.c_str(),
            stage.limit.c_str());
    }
    std::printf("\n}}\n");
}

// Whether a name holds one of the parts of `only`, which have semicolons between them.
bool holds_one(const std::string& name, const std::string& only) {
    for (std::size_t begin = 0, end = 0; end != only.npos; begin = end + 1) {
        end = only.find(';', begin);
        if (name.find(only.substr(begin, end - begin)) != name.npos) return true;
    }
    return false;
}

// Those whose name holds one of the parts of `only`, and their limits.
std::vector<Stage> chosen(const Workload& workload, const std::string& only) {
    std::vector<Stage> all, wanted;
    for (const auto make : {limit_stages, text_stages, merge_stages, encode_stages, train_stages, sample_stages}) {
        for (Stage& stage : make(workload)) all.push_back(std::move(stage));
    }
    std::set<std::string> names;
    for (const Stage& stage : all) {
        if (holds_one(stage.name, only)) names.insert({stage.name, stage.limit});
    }
    for (Stage& stage : all) {
        if (names.contains(stage.name)) wanted.push_back(std::move(stage));
    }
    return wanted;
}

void run(const Options& options) {
    const Workload workload = workload_of(options);
    std::vector<Stage> stages = chosen(workload, options.only);
    if (stages.empty()) fail("no stage's name holds '" + options.only + "'");
    if (options.once) {
        std::printf("%s\n", kCompiler);
        for (const Stage& stage : stages) {
            if (stage.prepare) stage.prepare();
            std::printf("%llu\t%s\t%s\n", static_cast<unsigned long long>(fissile_measured(stage)), stage.unit.c_str(),
                        stage.name.c_str());
        }
        return;
    }
    std::map<std::string, std::vector<double>> times;
    for (std::size_t round = 0; round <= options.rounds; ++round) {
        for (const Stage& stage : stages) {
            const double ns = time_once(stage);
            if (round > 0) times[stage.name].push_back(ns);  // the first touches memory for the first time
        }
    }
    std::map<std::string, Figures> figures;
    for (auto& [name, values] : times) figures[name] = figures_of(std::move(values));
    options.json ? print_json(stages, figures) : print_table(stages, figures);
}

}  // namespace

int main(int n_arguments, char** arguments) {
    try {
        run(parse(n_arguments, arguments));
    } catch (const std::exception& error) {
        std::cerr << "micro: " << error.what() << "\n";
        return 1;
    }
}
