// The classifier of neon. It is local to the ISA's own file, which is therefore compiled here once more, its table
// under another name.
#define kScannersNeon kScannersOfBenchmarkNeon
#include "pretokenize/isa_neon.cpp"

#include "blocks.hpp"

#if defined(__aarch64__)
#include "blocks.inc"

const micro::Blocks micro::kBlocksNeon = {fissile::letters_in_blocks, fissile::classes_of_blocks};

#endif
