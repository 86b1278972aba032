// Most of the exact cuts beside ASCII characters, found many bytes at a time (pretokenize/cut_classes.hpp).
//
// ExactCuts asks for every two characters whether a token holds them side by side, which takes longer than looking the
// pieces up. Characters that join with nearly the same ones on their right are one class here, so that eight classes
// are enough: for Llama 2's vocabulary the pieces of English grow by 3 %. What is still too long is for ExactCuts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base.hpp"
#include "pretokenize/cut_classes.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class CoarseCuts {
   public:
    // `before_spaces` as in ExactCuts, whose cuts must not be impossible.
    CoarseCuts(const Vocabulary& vocabulary, bool before_spaces);

    // The contract of ExactCuts::cut, for some of its cuts. It also cuts beside bytes that are not UTF-8, where these
    // and the next character are in no token side by side.
    ScanResult cut(Bytes text, std::size_t position, std::uint32_t* ends, std::size_t capacity) const {
        return scan_(classes_, text, position, ends, capacity);
    }

   private:
    CutClasses classes_;
    ScanCutsFunction scan_;
};

}  // namespace fissile
