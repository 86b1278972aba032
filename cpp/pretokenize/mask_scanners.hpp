// The scanners of one ISA, side by side.
//
// Compiled once for each ISA, inside its isa_*.cpp, behind the other headers; no include guard.

constexpr Scanners mask_scanners(ScanCutsFunction cuts) {
    using namespace patterns;
    return {scan_masks<Gpt2>,
            scan_masks<Cl100k>,
            scan_masks<Llama3>,
            scan_masks<Qwen2>,
            scan_masks<O200k>,
            scan_masks<DeepseekV3>,
            scan_masks_superbpe,
            {scan_masks<Lines<Gpt2>>, scan_masks<Lines<Cl100k>>, scan_masks<Lines<Llama3>>, scan_masks<Lines<Qwen2>>,
             scan_masks<Lines<O200k>>, scan_masks<Lines<DeepseekV3>>},
            cuts};
}
