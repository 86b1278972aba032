// The scanners of one ISA, side by side.
//
// Compiled once for each ISA, inside its isa_*.cpp, behind the other headers; no include guard.

struct MaskScan {
    template <class P>
    static constexpr ScanFunction of = scan_masks<P>;
};

constexpr Scanners mask_scanners(ScanCutsFunction cuts) { return make_scanners<MaskScan>(ScannedPatterns{}, cuts); }
