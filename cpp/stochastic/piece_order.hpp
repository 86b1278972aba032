// Puts the pieces of split tokens in order.
//
// While a document is split at random its pieces lie where they were made: a left half in place of what was split,
// right halves behind all pieces in the order of the splits. For each of these is known from which piece it was split,
// and that it stands right behind that piece and before all that were split from it earlier. So the splits, taken one
// by one again, link each right half behind its left one; then untouched stretches are copied and the others walked.
//
// A long document is put in order where it lies, the last block of its input first, as all moves towards the end:
// the splits are first sorted by block, so that links are never needed of more than a block, which stays in a near
// cache. O(n + n_splits), with 14 bytes a split beside it.
#pragma once

#include <cstdint>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "cpu/raw_vector.hpp"
#include "encode/id_sink.hpp"

namespace fissile {

class PieceOrder {
   public:
    // Ids that are copied together, so that there must be room for as many behind what is written.
    static constexpr std::size_t kSpare = 16;
    // Ids of input in a block.
    static constexpr std::size_t kBlock = std::size_t{1} << 16;

    // n_input pieces, where the input's tokens were, and behind them n_splits right halves. lefts[i] is the place of
    // the piece that the i-th of these was split from.
    struct Pieces {
        const TokenId* ids;
        std::size_t n_input;
        const std::uint32_t* lefts;
        std::size_t n_splits;
    };

    // Writes all of them to `out`, and to `parents`, unless that is null, for each the place in the input of the token
    // it is part of, plus `first_parent`.
    void write(const Pieces& pieces, TokenId* out, TokenId* parents, TokenId first_parent, Interrupt* interrupt);

    // The same with the pieces themselves, and `lefts`, as the place to write to.
    void write_in_place(TokenId* ids, std::size_t n_input, std::uint32_t* lefts, std::size_t n_splits, TokenId* parents,
                        Interrupt* interrupt);

   private:
    template <bool kParents>
    void write_with(const Pieces& pieces, TokenId* out, TokenId* parents, TokenId first_parent, Interrupt* interrupt);
    void sort_by_block(const TokenId* rights, std::size_t n_input, std::uint32_t* lefts, std::size_t n_splits,
                       Interrupt* interrupt);

    IdArray next_;                      // of each piece the one behind it, if both are of one token
    std::vector<std::uint64_t> marks_;  // a bit a piece: something was split from it
    // Of a long document.
    std::vector<std::size_t> starts_;    // of each block's splits in the next two
    IdArray sorted_rights_;              // the right halves
    IdArray sorted_lefts_;               // as Pieces::lefts, in the block
    RawVector<std::uint16_t> block_of_;  // of each split
    IdArray block_;
};

}  // namespace fissile
