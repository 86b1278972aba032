// The scanners of one ISA, a function a pattern; each isa_*.cpp exports one table.
#pragma once

#include <array>
#include <cstddef>

#include "pretokenize/cut_classes.hpp"
#include "pretokenize/patterns.hpp"
#include "pretokenize/pretokenizer.hpp"

namespace fissile {

// The switches of each pattern, in the order of Pattern, which begins with kNone.
template <class... P>
struct PatternList {
    static constexpr std::size_t kSize = sizeof...(P);
};
using ScannedPatterns = PatternList<patterns::Gpt2, patterns::Starcoder, patterns::Cl100k, patterns::Llama3,
                                    patterns::Qwen2, patterns::Qwen35, patterns::O200k, patterns::Tekken,
                                    patterns::KimiK2, patterns::DeepseekV3, patterns::Superbpe>;
static_assert(ScannedPatterns::kSize == static_cast<std::size_t>(Pattern::kSuperbpe));

struct Scanners {
    std::array<ScanFunction, ScannedPatterns::kSize> whole, lines;  // lines: null where there is none
    ScanCutsFunction cuts;
};

// Scan::of<P>: the scanner for the switches of a pattern.
template <class Scan, class P>
constexpr ScanFunction line_scanner() {
    if constexpr (P::kHasLines) return Scan::template of<patterns::Lines<P>>;
    return nullptr;
}
template <class Scan, class... P>
constexpr Scanners make_scanners(PatternList<P...>, ScanCutsFunction cuts) {
    return {{Scan::template of<P>...}, {line_scanner<Scan, P>()...}, cuts};
}

// The definition, for ISAs that look up no 64 bytes at once.
ScanResult scan_cuts_scalar(const CutClasses& classes, Bytes text, std::size_t position, std::uint32_t* ends,
                            std::size_t capacity);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const Scanners kScannersSse2, kScannersAvx2, kScannersAvx512;
#elif defined(__aarch64__)
extern const Scanners kScannersNeon;
#endif

}  // namespace fissile
