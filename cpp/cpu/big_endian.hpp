// A word whose order as a number is that of its bytes in memory.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace fissile {

inline std::uint64_t big_endian(std::uint64_t little) noexcept {
#if defined(__GNUC__)
    return __builtin_bswap64(little);
#else
    return _byteswap_uint64(little);
#endif
}

}  // namespace fissile
