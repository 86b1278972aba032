// The classifier of sse2. It is local to the ISA's own file, which is therefore compiled here once more, its table
// under another name.
#define kScannersSse2 kScannersOfBenchmarkSse2
#include "pretokenize/isa_sse2.cpp"

#include "blocks.hpp"

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
#include "blocks.inc"

const micro::Blocks micro::kBlocksSse2 = {fissile::letters_in_blocks, fissile::classes_of_blocks};

#endif
