// One stage of the engine, alone: what is timed, in which unit, and beside which limit of the machine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "workload.hpp"

namespace micro {

struct Stage {
    std::string name;
    std::string unit;
    // Name of the stage that this one cannot be faster than, in the same unit; empty: none is known.
    std::string limit;
    // Not timed; before each run. May be empty.
    std::function<void()> prepare;
    // Does the work once; how many units it did.
    std::function<std::uint64_t()> run;
};

// What a result is written to, so that no compiler leaves the work out.
extern volatile std::uint64_t sink;

// The stages of each file. They keep references to the workload.
std::vector<Stage> limit_stages(const Workload& workload);
std::vector<Stage> text_stages(const Workload& workload);
std::vector<Stage> merge_stages(const Workload& workload);
std::vector<Stage> encode_stages(const Workload& workload);
std::vector<Stage> train_stages(const Workload& workload);
std::vector<Stage> sample_stages(const Workload& workload);

}  // namespace micro
