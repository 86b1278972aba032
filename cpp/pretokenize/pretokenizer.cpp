#include "pretokenize/pretokenizer.hpp"

#include "pretokenize/scan_scalar.hpp"
#include "pretokenize/scanners.hpp"
#include "text/unicode_class.hpp"

namespace fissile {

namespace {

struct Name {
    std::string_view name;
    Pattern pattern;
};

// Canonical names first, then aliases.
constexpr Name kNames[] = {
    {"none", Pattern::kNone},
    {"gpt2", Pattern::kGpt2},
    {"starcoder", Pattern::kStarcoder},
    {"cl100k", Pattern::kCl100k},
    {"llama3", Pattern::kLlama3},
    {"qwen2", Pattern::kQwen2},
    {"qwen35", Pattern::kQwen35},
    {"o200k", Pattern::kO200k},
    {"tekken", Pattern::kTekken},
    {"kimi_k2", Pattern::kKimiK2},
    {"deepseek_v3", Pattern::kDeepseekV3},
    {"superbpe", Pattern::kSuperbpe},
    {"gpt-2", Pattern::kGpt2},
    {"r50k", Pattern::kGpt2},
    {"r50k_base", Pattern::kGpt2},
    {"p50k", Pattern::kGpt2},
    {"p50k_base", Pattern::kGpt2},
    {"p50k_edit", Pattern::kGpt2},
    {"gpt4", Pattern::kCl100k},
    {"gpt-4", Pattern::kCl100k},
    {"cl100k_base", Pattern::kCl100k},
    {"llama-3", Pattern::kLlama3},
    {"qwen2.5", Pattern::kQwen2},
    {"qwen3", Pattern::kQwen2},
    {"gpt4o", Pattern::kO200k},
    {"gpt-4o", Pattern::kO200k},
    {"gpt-oss", Pattern::kO200k},
    {"o200k_base", Pattern::kO200k},
    {"o200k_harmony", Pattern::kO200k},
    {"llama4", Pattern::kO200k},
    {"deepseek", Pattern::kDeepseekV3},
    {"deepseek_r1", Pattern::kDeepseekV3},
};

ScanResult scan_none(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t) {
    if (position == text.size()) return {0, position};
    ends[0] = static_cast<std::uint32_t>(text.size());
    return {1, text.size()};
}

template <class P>
ScanResult scan_scalar(Bytes bytes, std::size_t position, std::uint32_t* ends, std::size_t capacity) {
    const auto text = scalar::text_of<P>(bytes);
    scalar::Pretokens<P> pretokens(text);
    std::size_t n = 0;
    while (n < capacity && position < text.size) {
        position = pretokens.end_of(position);
        ends[n++] = static_cast<std::uint32_t>(position);
    }
    return {n, position};
}

struct ScalarScan {
    template <class P>
    static constexpr ScanFunction of = scan_scalar<P>;
};

// Of a pattern other than kNone, in ScannedPatterns.
std::size_t index_of(Pattern pattern) { return static_cast<std::size_t>(pattern) - 1; }

}  // namespace

ScanResult scan_cuts_scalar(const CutClasses& classes, Bytes text, std::size_t position, std::uint32_t* ends,
                            std::size_t capacity) {
    std::size_t n = 0;
    for (std::size_t at = position + 1; at < text.size() && n < capacity; ++at) {
        if (cut_in_front(classes, text, at)) ends[n++] = static_cast<std::uint32_t>(at);
    }
    if (n == capacity) return {n, ends[n - 1]};
    if (position < text.size()) ends[n++] = static_cast<std::uint32_t>(text.size());
    return {n, text.size()};
}

std::optional<Pattern> pattern_from_name(std::string_view name) {
    for (const Name& known : kNames) {
        if (known.name == name) return known.pattern;
    }
    return std::nullopt;
}

std::string_view pattern_name(Pattern pattern) {
    for (const Name& known : kNames) {
        if (known.pattern == pattern) return known.name;
    }
    return {};
}

std::uint8_t ends_before_space(Pattern pattern) {
    switch (pattern) {
        case Pattern::kNone:
            return 0;
        case Pattern::kSuperbpe:
            return kNumber;
        default:
            return kLetter | kNumber;
    }
}

const Scanners& scanners_for(Isa isa) {
    static constexpr Scanners kScannersScalar = make_scanners<ScalarScan>(ScannedPatterns{}, scan_cuts_scalar);
    switch (isa) {
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
        case Isa::kSse2:
            return kScannersSse2;
        case Isa::kAvx2:
            return kScannersAvx2;
        case Isa::kAvx512:
            return kScannersAvx512;
#elif defined(__aarch64__)
        case Isa::kNeon:
            return kScannersNeon;
#endif
        default:
            return kScannersScalar;
    }
}

ScanFunction scanner_for(Pattern pattern, Isa isa) {
    return pattern == Pattern::kNone ? scan_none : scanners_for(isa).whole[index_of(pattern)];
}

ScanFunction line_scanner_for(Pattern pattern, Isa isa) {
    return pattern == Pattern::kNone ? nullptr : scanners_for(isa).lines[index_of(pattern)];
}

ScanCutsFunction cut_scanner_for(Isa isa) { return scanners_for(isa).cuts; }

ScanFunction scanner_for(Pattern pattern) { return scanner_for(pattern, chosen_isa()); }
ScanFunction line_scanner_for(Pattern pattern) { return line_scanner_for(pattern, chosen_isa()); }

}  // namespace fissile
