#include "merge/merge_windows.hpp"

#include <algorithm>
#include <bit>

namespace fissile {

namespace {

using Lane = MergeLane<64>;

constexpr std::size_t kWindow = Lane::kMaxSymbols;
constexpr std::size_t kStride = 40;  // what is left overlaps: with fewer bytes, more neighbours have no token in common
constexpr std::size_t kHalf = kStride / 2;
constexpr std::size_t kNowhere = kWindow + 1;
constexpr std::size_t kAtOnce = kWindowLanes - 1;  // the last lane is a bridge between two with nothing in common
constexpr std::size_t kMaxRepeats = 1024;

// Bits at the place where each token begins, and at the end of the last.
std::uint64_t starts_of(const Lane& lane) { return lane.alive >> 1; }

std::size_t n_bytes_of(const Lane& lane) { return static_cast<std::size_t>(std::bit_width(starts_of(lane))) - 1; }

unsigned next_start(std::uint64_t starts, unsigned from) {
    return static_cast<unsigned>(std::countr_zero(starts & (~std::uint64_t{1} << from)));
}

// Where in `later`, which begins `shift` bytes after `earlier`, the first token begins that both have; or kNowhere.
std::size_t first_in_common(const Lane& earlier, const Lane& later, std::size_t shift) {
    const std::uint64_t a = starts_of(earlier) >> shift, b = starts_of(later);
    for (std::uint64_t both = a & b; (both & (both - 1)) != 0; both &= both - 1) {
        const auto at = static_cast<unsigned>(std::countr_zero(both));
        if (next_start(a, at) == next_start(b, at)) return at;
    }
    return kNowhere;
}

// Appends the tokens that begin in [from, to) of a window.
void append(const Lane& lane, std::size_t from, std::size_t to, std::vector<TokenId>& ids) {
    const std::uint64_t wanted = starts_of(lane) & (~std::uint64_t{0} << from) & ((std::uint64_t{1} << to) - 1);
    for (std::uint64_t left = wanted; left != 0; left &= left - 1) ids.push_back(lane.ids[std::countr_zero(left) + 1]);
}

// Which windows of the piece the lanes hold.
struct Windows {
    std::size_t begins[kWindowLanes];
    std::size_t repeats[kWindowLanes];  // so many more, each kStride bytes on, have the same bytes
    std::size_t n = 0;

    std::size_t last_begin(std::size_t i) const { return begins[i] + repeats[i] * kStride; }
    void add(std::size_t begin) {
        begins[n] = begin;
        repeats[n++] = 0;
    }
};

}  // namespace

bool merge_windows(const Vocabulary& vocabulary, const MergeKernels& kernels, Bytes piece, MergeLane<64>* lanes,
                   std::vector<TokenId>& ids, Interrupt* interrupt) {
    const std::size_t base = ids.size();
    const auto fail = [&] {
        ids.resize(base);
        return false;
    };
    const auto merge = [&](Lane* first, std::size_t n) {
        kernels.many(vocabulary.pairs(), vocabulary.results(), first, n);
    };
    const auto window_at = [&](std::size_t begin) {
        return piece.subspan(begin, std::min(kWindow, piece.size() - begin));
    };
    Lane& bridge = lanes[kAtOnce];
    Windows windows;
    std::size_t begin = 0;  // of the next window
    std::size_t from = 0;   // where in the first lane what it has to give begins
    for (bool at_end = false;;) {
        const std::size_t n_merged = windows.n;  // the last of those before, if there were any
        while (!at_end) {
            const Bytes window = window_at(begin);
            if (windows.n != 0 && windows.repeats[windows.n - 1] < kMaxRepeats &&
                std::ranges::equal(window, window_at(windows.begins[windows.n - 1]))) {
                ++windows.repeats[windows.n - 1];
            } else if (windows.n == kAtOnce) {
                break;
            } else {
                lanes[windows.n].spell(window, vocabulary);
                windows.add(begin);
            }
            at_end = begin + window.size() == piece.size();
            begin += kStride;
        }
        merge(lanes + n_merged, windows.n - n_merged);
        for (std::size_t i = 0; i < windows.n; ++i) {
            const Lane& lane = lanes[i];
            if (windows.repeats[i] != 0) {
                const std::size_t at = first_in_common(lane, lane, kStride);
                if (at == kNowhere) return fail();
                for (std::size_t k = 0; k < windows.repeats[i]; ++k) {
                    append(lane, from, at + kStride, ids);
                    from = at;
                }
            }
            if (i + 1 == windows.n) break;
            std::size_t at = first_in_common(lane, lanes[i + 1], kStride);
            if (at != kNowhere) {
                append(lane, from, at + kStride, ids);
            } else {
                // One halfway shares more with either.
                bridge.spell(window_at(windows.last_begin(i) + kHalf), vocabulary);
                merge(&bridge, 1);
                const std::size_t onto = first_in_common(lane, bridge, kHalf);
                at = first_in_common(bridge, lanes[i + 1], kHalf);
                if (onto == kNowhere || at == kNowhere || onto > at + kHalf) return fail();
                append(lane, from, onto + kHalf, ids);
                append(bridge, onto, at + kHalf, ids);
            }
            from = at;
        }
        const std::size_t last = windows.n - 1;
        if (at_end) {
            append(lanes[last], from, n_bytes_of(lanes[last]), ids);
            return true;
        }
        if (interrupt != nullptr) interrupt->check();
        const std::size_t last_begin = windows.last_begin(last);
        lanes[0] = lanes[last];
        windows.n = 0;
        windows.add(last_begin);
    }
}

}  // namespace fissile
