#include "merge/front_kernels.hpp"

#include "merge/long_spans.hpp"

namespace fissile {

namespace {

std::size_t look_up(const FrontTable& table, const FrontKernels::Spans& spans, const FoundPiece** pieces,
                    const FrontKernels::Missed& missed) noexcept {
    const Bytes text = spans.text;
    const std::uint32_t* const ends = spans.ends;
    const std::size_t n = spans.n;
    std::uint32_t* const index = missed.index;
    std::uint64_t *const low = missed.low, *const high = missed.high;
    std::size_t n_missed = 0, start = spans.begin, i = 0;
    const auto look = [&](PieceKey key) {
        const FoundPiece& entry = table.at(key);
        pieces[i] = &entry;
        // Stays if it is missed.
        index[n_missed] = static_cast<std::uint32_t>(i);
        low[n_missed] = key.low;
        high[n_missed] = key.high;
        n_missed += !FrontTable::holds(entry, key);
        start = ends[i++];
    };
    while (i < n && start + 16 <= text.size()) look(piece_key_from_16(text.data() + start, ends[i] - start));
    while (i < n) look(piece_key(text.data() + start, ends[i] - start));
    return n_missed;
}

std::uint64_t too_long(std::size_t begin, const std::uint32_t* ends, std::size_t n) noexcept {
    if (!has_long_span(begin, ends, n)) return 0;
    std::uint64_t bits = ends[0] - begin > kMaxInlinePiece;
    for (std::size_t i = 1; i < n; ++i) bits |= std::uint64_t{ends[i] - ends[i - 1] > kMaxInlinePiece} << i;
    return bits;
}

std::size_t append(const FoundPiece* const* pieces, std::size_t n_pieces, TokenId*& out) noexcept {
    TokenId* to = out;
    std::size_t i = 0;
    for (; i < n_pieces; ++i) {
        const FoundPiece& piece = *pieces[i];
        const std::size_t n_ids = piece.count();
        if (n_ids == 0) [[unlikely]]
            break;
        piece.copy_ids(to);
        to += n_ids;
    }
    out = to;
    return i;
}

constexpr FrontKernels kFrontScalar = {look_up, too_long, append};

}  // namespace

const FrontKernels& front_kernels_for(Isa isa) {
    switch (isa) {
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
        case Isa::kAvx512:
            return kFrontAvx512;
#endif
        default:
            return kFrontScalar;
    }
}

}  // namespace fissile
