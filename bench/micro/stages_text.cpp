// Text to pretokens and pieces: classes, scanning, exact cuts, characters one by one.
#include "blocks.hpp"
#include "stage.hpp"
#include "text/unicode_class.hpp"
#include "text/utf8.hpp"
#include "vocab/coarse_cuts.hpp"
#include "vocab/exact_cuts.hpp"

namespace micro {

namespace {

// `scan` takes what a ScanFunction does.
template <class Scan>
std::uint64_t scan_all(const Scan& scan, Bytes text) {
    std::uint32_t ends[256];
    std::uint64_t sum = 0;
    for (std::size_t position = 0; position < text.size();) {
        const ScanResult result = scan(text, position, ends, std::size(ends));
        sum += ends[0];
        position = result.position;
    }
    sink = sum;
    return text.size();
}

template <class Cuts>
std::uint64_t cut_all(const Cuts& cuts, Bytes text) {
    return scan_all([&](auto... arguments) { return cuts.cut(arguments...); }, text);
}

}  // namespace

std::vector<Stage> text_stages(const Workload& w) {
    std::vector<Stage> stages;
    if (const Blocks* const blocks = blocks_for(chosen_isa())) {
        stages.push_back({"classify", "byte", "letters", {}, [&w, blocks] {
                              sink = blocks->classes(w.bytes());
                              return w.bytes().size();
                          }});
    }
    for (const Pattern pattern : {Pattern::kGpt2, Pattern::kCl100k, Pattern::kO200k, Pattern::kQwen2,
                                  Pattern::kDeepseekV3, Pattern::kSuperbpe}) {
        stages.push_back({"scan " + std::string(pattern_name(pattern)), "byte", "letters", {}, [&w, pattern] {
                              return scan_all(scanner_for(pattern), w.bytes());
                          }});
    }
    stages.push_back({"class of a character", "byte", "decode characters", {}, [&w] {
                          std::uint64_t sum = 0;
                          const Bytes text = w.bytes();
                          for (std::size_t i = 0; i < text.size();) {
                              const Char c = decode_char(text.data() + i, text.size() - i);
                              sum += char_flags(c.code_point);
                              i += c.n_bytes;
                          }
                          sink = sum;
                          return text.size();
                      }});
    const auto cuts = std::make_shared<const ExactCuts>(*w.vocabulary);
    stages.push_back({"cut", "byte", "bit of two bytes", {}, [&w, cuts] { return cut_all(*cuts, w.bytes()); }});
    const auto coarse = std::make_shared<const CoarseCuts>(*w.vocabulary, false);
    stages.push_back({"cut coarsely", "byte", "letters", {}, [&w, coarse] { return cut_all(*coarse, w.bytes()); }});
    return stages;
}

}  // namespace micro
