// Which instruction set this machine's kernels use, decided once.
//
// Code for one ISA stands in files named isa_*.cpp; each exports one table of function pointers. FISSILE_ISA forces a
// lower one, so that tests cover all that a machine has; a name that is unknown, or that this machine cannot run, is
// an error, never a fallback.
#pragma once

#include <string_view>
#include <vector>

namespace fissile {

enum class Isa { kScalar, kSse2, kAvx2, kAvx512, kNeon };

std::string_view isa_name(Isa isa);

// Those this machine can run, slowest first; kScalar always.
const std::vector<Isa>& available_isas();

// The fastest, or the one FISSILE_ISA names. Throws Error for a name that is not among available_isas().
Isa chosen_isa();

}  // namespace fissile
