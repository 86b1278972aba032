#include "cpu/isa.hpp"

#include <cstdlib>
#include <string>

#include "base.hpp"

namespace fissile {

namespace {

std::vector<Isa> detect() {
    std::vector<Isa> isas{Isa::kScalar};
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
    __builtin_cpu_init();
    isas.push_back(Isa::kSse2);
    const bool bits =
        __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    if (bits && __builtin_cpu_supports("avx2")) {
        isas.push_back(Isa::kAvx2);
        if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2")) {
            isas.push_back(Isa::kAvx512);
        }
    }
#elif defined(__aarch64__)
    isas.push_back(Isa::kNeon);
#endif
    return isas;
}

}  // namespace

std::string_view isa_name(Isa isa) {
    switch (isa) {
        case Isa::kSse2:
            return "sse2";
        case Isa::kAvx2:
            return "avx2";
        case Isa::kAvx512:
            return "avx512";
        case Isa::kNeon:
            return "neon";
        case Isa::kScalar:
            break;
    }
    return "scalar";
}

const std::vector<Isa>& available_isas() {
    static const std::vector<Isa> isas = detect();
    return isas;
}

Isa chosen_isa() {
    const char* const wanted = std::getenv("FISSILE_ISA");
    if (wanted == nullptr || *wanted == '\0') return available_isas().back();
    std::string names;
    for (const Isa isa : available_isas()) {
        if (isa_name(isa) == wanted) return isa;
        names += (names.empty() ? "" : ", ") + std::string(isa_name(isa));
    }
    throw Error("FISSILE_ISA is '" + std::string(wanted) + "'; this machine has " + names);
}

}  // namespace fissile
