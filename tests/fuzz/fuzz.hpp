// What a fuzz target is: the entry point that libFuzzer calls, and inputs to start from.
//
// A target aborts when something is wrong, which fuzzers and ctest both notice; sanitizers do the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Inputs that reach deep into the target; replay.cpp mutates them.
std::vector<std::string> fuzz_seeds();

#define FUZZ_REQUIRE(condition)                                                  \
    do {                                                                         \
        if (!(condition)) {                                                      \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                        \
        }                                                                        \
    } while (false)
