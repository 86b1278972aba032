// The scanners of one ISA, a function a pattern; each isa_*.cpp exports one table.
#pragma once

#include "pretokenize/cut_classes.hpp"
#include "pretokenize/pretokenizer.hpp"

namespace fissile {

struct Scanners {
    ScanFunction gpt2, cl100k, llama3, qwen2, o200k, deepseek_v3, superbpe;
    struct {
        ScanFunction gpt2, cl100k, llama3, qwen2, o200k, deepseek_v3;
    } lines;
    ScanCutsFunction cuts;
};

// The definition, for ISAs that look up no 64 bytes at once.
ScanResult scan_cuts_scalar(const CutClasses& classes, Bytes text, std::size_t position, std::uint32_t* ends,
                            std::size_t capacity);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const Scanners kScannersSse2, kScannersAvx2, kScannersAvx512;
#elif defined(__aarch64__)
extern const Scanners kScannersNeon;
#endif

}  // namespace fissile
