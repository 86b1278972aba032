#include "stochastic/token_symbols.hpp"

#include "text/utf8.hpp"

namespace fissile {

void check_can_spell(const Vocabulary& vocabulary, const std::string& sampler) {
    if (vocabulary.has_unused()) throw Error(sampler + " does not know what to do with pieces of type UNUSED");
    const bool bytes = vocabulary.options().alphabet == Alphabet::kBytes;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const auto b = static_cast<std::uint8_t>(byte);
        if ((bytes ? vocabulary.byte_symbol(b) : vocabulary.fallback_symbol(b)) != kNoToken) continue;
        throw Error(sampler + " needs a vocabulary that has a token for every byte; this one has none for byte " +
                    std::to_string(byte));
    }
}

void append_symbols(const Vocabulary& v, TokenId id, std::vector<TokenId>& symbols) {
    if (!v.is_model(id)) {
        symbols.push_back(id);
        return;
    }
    const Bytes token = v.token_bytes(id);
    if (v.options().alphabet == Alphabet::kBytes) {
        for (const std::uint8_t byte : token) symbols.push_back(v.byte_symbol(byte));
        return;
    }
    for (std::size_t i = 0; i < token.size();) {
        const Char c = decode_char(token.data() + i, token.size() - i);
        const TokenId symbol = c.code_point == kInvalid ? kNoToken : v.char_symbol(c.code_point);
        if (symbol != kNoToken) {
            symbols.push_back(symbol);
        } else {
            for (const std::uint8_t byte : token.subspan(i, c.n_bytes)) symbols.push_back(v.fallback_symbol(byte));
        }
        i += c.n_bytes;
    }
}

}  // namespace fissile
