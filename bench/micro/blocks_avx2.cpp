// The classifier of avx2. It is local to the ISA's own file, which is therefore compiled here once more, its table
// under another name.
#define kScannersAvx2 kScannersOfBenchmarkAvx2
#include "pretokenize/isa_avx2.cpp"

#include "blocks.hpp"

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

#define FISSILE_TARGET "avx2,bmi,bmi2,popcnt"
#include "cpu/target_region.hpp"

#include "blocks.inc"

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

const micro::Blocks micro::kBlocksAvx2 = {fissile::letters_in_blocks, fissile::classes_of_blocks};

#endif
