// Tokens taken apart into the symbols that merging starts from: bytes, or characters.
#pragma once

#include <vector>

#include "vocab/vocabulary.hpp"

namespace fissile {

// Throws Error unless every byte has a token, so that any text can be spelt out, and each token stands for itself;
// `sampler` is named in the message.
void check_can_spell(const Vocabulary& vocabulary, const std::string& sampler);

// Appends the symbols of a token: those of its bytes or characters, bytes where a character has none. A token that
// merging does not make (special, added, byte fallback) is a symbol itself.
void append_symbols(const Vocabulary& vocabulary, TokenId id, std::vector<TokenId>& symbols);

}  // namespace fissile
