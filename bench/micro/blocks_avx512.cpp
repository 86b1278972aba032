// The classifier of avx512. It is local to the ISA's own file, which is therefore compiled here once more, its table
// under another name.
#define kScannersAvx512 kScannersOfBenchmarkAvx512
#include "pretokenize/isa_avx512.cpp"

#include "blocks.hpp"

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)

#define FISSILE_TARGET "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi,bmi2,popcnt,lzcnt"
#include "cpu/target_region.hpp"

#include "blocks.inc"

#undef FISSILE_TARGET
#include "cpu/target_region.hpp"

const micro::Blocks micro::kBlocksAvx512 = {fissile::letters_in_blocks, fissile::classes_of_blocks};

#endif
