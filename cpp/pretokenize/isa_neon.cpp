// The mask scanners for arm64.
#if defined(__aarch64__)

#include <arm_neon.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/prefetch.hpp"
#include "pretokenize/cut_classes.hpp"
#include "pretokenize/scan_scalar.hpp"
#include "pretokenize/scanners.hpp"

namespace fissile {
namespace {

struct Block {
    uint8x16_t v[4];

    static Block load(const std::uint8_t* text) {
        Block block;
        for (int i = 0; i < 4; ++i) block.v[i] = vld1q_u8(text + 16 * i);
        return block;
    }
    // The first n < 64 bytes, zeros after them; reads nothing else.
    static Block load_partial(const std::uint8_t* text, std::size_t n) {
        std::uint8_t padded[64] = {};
        std::memcpy(padded, text, n);
        return load(padded);
    }
    // One bit a byte of four comparison results: each byte keeps the bit of its place, neighbours are added up.
    static std::uint64_t bits(const uint8x16_t x[4]) {
        static constexpr std::uint8_t kPlaces[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
        const uint8x16_t places = vld1q_u8(kPlaces);
        const uint8x16_t low = vpaddq_u8(vandq_u8(x[0], places), vandq_u8(x[1], places));
        const uint8x16_t high = vpaddq_u8(vandq_u8(x[2], places), vandq_u8(x[3], places));
        const uint8x16_t sums = vpaddq_u8(low, high);
        return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)), 0);
    }
    std::uint64_t eq(char c) const {
        uint8x16_t x[4];
        for (int i = 0; i < 4; ++i) x[i] = vceqq_u8(v[i], vdupq_n_u8(static_cast<std::uint8_t>(c)));
        return bits(x);
    }
    std::uint64_t in_range(unsigned low, unsigned high) const {
        uint8x16_t x[4];
        for (int i = 0; i < 4; ++i) {
            x[i] = vcleq_u8(vsubq_u8(v[i], vdupq_n_u8(static_cast<std::uint8_t>(low))),
                            vdupq_n_u8(static_cast<std::uint8_t>(high - low)));
        }
        return bits(x);
    }
    std::uint64_t letters() const {
        Block small;
        for (int i = 0; i < 4; ++i) small.v[i] = vorrq_u8(v[i], vdupq_n_u8(0x20));
        return small.in_range('a', 'z');
    }
    // Where a byte of this block and the one at the same place of `right` are not joined.
    std::uint64_t unjoined(const Block& right, const CutClasses& classes) const {
        const uint8x16_t wide_left = vdupq_n_u8(CutClasses::kWideLeft), lead = vdupq_n_u8(classes.right_lead);
        uint8x16_t x[4];
        for (int i = 0; i < 4; ++i) {
            const uint8x16_t l = look_up(classes.left, v[i], wide_left), r = look_up(classes.right, right.v[i], lead);
            // 0x80 to 0xbf, which as signed numbers are below -64: all classes.
            const uint8x16_t inside = vcltq_s8(vreinterpretq_s8_u8(right.v[i]), vdupq_n_s8(-64));
            x[i] = vceqzq_u8(vandq_u8(l, vorrq_u8(r, inside)));
        }
        return bits(x);
    }
    // table[byte] of each byte below 128, `wide` of the others.
    static uint8x16_t look_up(const std::uint8_t table[128], uint8x16_t bytes, uint8x16_t wide) {
        const uint8x16_t low = vqtbl4q_u8(vld1q_u8_x4(table), bytes);
        const uint8x16_t both = vqtbx4q_u8(low, vld1q_u8_x4(table + 64), vsubq_u8(bytes, vdupq_n_u8(64)));
        return vbslq_u8(vcgeq_u8(bytes, vdupq_n_u8(0x80)), wide, both);
    }
    bool any_high() const { return vmaxvq_u8(vorrq_u8(vorrq_u8(v[0], v[1]), vorrq_u8(v[2], v[3]))) >= 0x80; }
};

#include "pretokenize/flatten_bits.hpp"
#include "pretokenize/mask_bits.hpp"
#include "pretokenize/mask_runs.hpp"
#include "pretokenize/scan_cuts.hpp"
#include "pretokenize/wide_groups.hpp"

#include "pretokenize/block_classes.hpp"
#include "pretokenize/long_runs.hpp"
#include "pretokenize/scan_masks.hpp"
#include "pretokenize/scan_masks_deepseek.hpp"
#include "pretokenize/scan_masks_superbpe.hpp"

#include "pretokenize/mask_scanners.hpp"

}  // namespace

const Scanners kScannersNeon = mask_scanners(scan_cuts);

}  // namespace fissile

#endif
