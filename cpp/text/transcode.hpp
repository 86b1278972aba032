// The three forms of a Python str (code points in 1, 2 or 4 bytes) to UTF-8, without the copy CPython would keep.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/isa.hpp"

namespace fissile {

struct Transcoded {
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
    std::size_t n_written;
    std::size_t bad_index;  // of the first lone surrogate, or npos
};

// Room to give beyond 2, 3 or 4 bytes a unit: the fast paths write whole registers.
inline constexpr std::size_t kTranscodeSlack = 64;

template <class Unit>
using Transcode = Transcoded (*)(const Unit* units, std::size_t n, std::uint8_t* out) noexcept;

struct TranscodeKernels {
    Transcode<std::uint8_t> latin1;
    Transcode<std::uint16_t> ucs2;
    Transcode<std::uint32_t> ucs4;
};

const TranscodeKernels& transcode_kernels_for(Isa isa);

#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
extern const TranscodeKernels kTranscodeAvx2, kTranscodeAvx512;
#endif

// For the kernels: goes on after i units, which are the bytes from `begin` to `out`, without vector code.
template <class Unit>
Transcoded rest_of_transcode(const Unit* units, std::size_t n, std::size_t i, std::uint8_t* begin,
                             std::uint8_t* out) noexcept;

}  // namespace fissile
