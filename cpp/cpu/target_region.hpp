// Opens or closes a region of code compiled for one ISA, on gcc and clang:
//
//     #define FISSILE_TARGET "avx2,bmi,bmi2"
//     #include "cpu/target_region.hpp"      // opens
//     ... kernels, in an unnamed namespace ...
//     #undef FISSILE_TARGET
//     #include "cpu/target_region.hpp"      // closes
//
// Standard headers are included before the region opens: an inline function of theirs compiled inside could be the
// copy that the linker keeps for the whole program.
// No include guard: meant to be included twice.

#define FISSILE_PRAGMA_TEXT(text) _Pragma(#text)
#define FISSILE_PRAGMA(text) FISSILE_PRAGMA_TEXT(text)

#if defined(FISSILE_TARGET) && defined(__clang__)
FISSILE_PRAGMA(clang attribute push(__attribute__((target(FISSILE_TARGET))), apply_to = function))
#elif defined(FISSILE_TARGET) && defined(__GNUC__)
_Pragma("GCC push_options") FISSILE_PRAGMA(GCC target(FISSILE_TARGET))
#elif defined(__clang__)
_Pragma("clang attribute pop")
#elif defined(__GNUC__)
_Pragma("GCC pop_options")
#endif

#undef FISSILE_PRAGMA
#undef FISSILE_PRAGMA_TEXT
