// A main for fuzz targets without libFuzzer: runs the files named on the command line, or, with none, a fixed series of
// mutated seeds, the same on every machine.
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>

#include "fuzz.hpp"

namespace {

constexpr int kInputs = 4000;

void run(const std::string& input) {
    // In a block of exactly its size, so that a sanitizer sees a read beyond it.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

// One to four changes: a byte, a cut, a stretch that moves in from another seed.
std::string mutated(const std::vector<std::string>& seeds, std::mt19937& random) {
    std::string input = seeds[random() % seeds.size()];
    for (unsigned change = random() % 4 + 1; change > 0; --change) {
        const std::size_t place = random() % (input.size() + 1);
        const std::string& other = seeds[random() % seeds.size()];
        switch (random() % 4) {
            case 0:
                input.insert(place, 1, static_cast<char>(random()));
                break;
            case 1:
                input.erase(place, random() % 8);
                break;
            case 2:
                input.insert(place, other, random() % (other.size() + 1), random() % 80);
                break;
            default:
                input.resize(place);
                break;
        }
    }
    return input;
}

}  // namespace

int main(int n_arguments, char** arguments) {
    for (int i = 1; i < n_arguments; ++i) {
        std::ifstream file(arguments[i], std::ios::binary);
        if (!file) {
            std::cerr << arguments[i] << ": cannot be read\n";
            return 1;
        }
        run(std::string(std::istreambuf_iterator<char>(file), {}));
    }
    if (n_arguments > 1) return 0;
    const std::vector<std::string> seeds = fuzz_seeds();
    for (const std::string& seed : seeds) run(seed);
    std::mt19937 random(1);
    for (int i = 0; i < kInputs; ++i) run(mutated(seeds, random));
}
