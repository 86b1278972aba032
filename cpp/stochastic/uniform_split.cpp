#include "stochastic/uniform_split.hpp"

#include <algorithm>

#include "stochastic/parents.hpp"
#include "stochastic/token_lattice.hpp"
#include "stochastic/token_symbols.hpp"
#include "text/utf8.hpp"

namespace fissile {

class UniformSplit::State final : public Splitter::Scratch {
   public:
    State(const Vocabulary& vocabulary, const TokenPrefixes& prefixes) : lattice(vocabulary, prefixes) {}
    TokenLattice lattice;
    std::vector<TokenId> drawn;
};

UniformSplit::UniformSplit(std::shared_ptr<const Vocabulary> vocabulary, std::shared_ptr<const TokenPrefixes> prefixes,
                           double p, std::int64_t length)
    : vocabulary_(std::move(vocabulary)), prefixes_(std::move(prefixes)), p_(p), length_(length), gaps_(p) {
    check_can_spell(*vocabulary_, "UniformSplit");
}

std::unique_ptr<Splitter::Scratch> UniformSplit::make_scratch() const {
    return std::make_unique<State>(*vocabulary_, *prefixes_);
}

void UniformSplit::split(const SpannedIds& document, const DocumentKey& key, Scratch& scratch, IdArray& out,
                         IdArray* parents) const {
    State& state = static_cast<State&>(scratch);
    GapStream pieces(gaps_, key, RandomUse::kPieces);
    RandomWords paths(key, RandomUse::kPaths);
    const std::size_t first_out = out.size();
    std::uint64_t left_alone = pieces.next();  // spans before the next one drawn anew
    std::size_t copied = 0;
    for (std::size_t span = 0; span < document.n_spans; ++span) {
        if (state.interrupt != nullptr) state.interrupt->check();
        const std::size_t begin = span == 0 ? 0 : document.span_ends[span - 1];
        const std::size_t end = document.span_ends[span];
        const TokenId* const ids = document.ids + begin;
        const auto is_spelt = [&](TokenId id) { return vocabulary_->is_model(id) || vocabulary_->is_fallback(id); };
        // Special and added tokens are no words: nothing is drawn for them.
        if (!std::all_of(ids, ids + (end - begin), is_spelt)) continue;
        if (left_alone-- != 0) continue;
        left_alone = pieces.next();
        state.lattice.interrupt = state.interrupt;
        state.lattice.set(ids, end - begin);
        state.drawn.clear();
        if (length_ == kAnyLength) {
            state.lattice.count();
            state.lattice.draw(paths, state.drawn);
        } else {
            const std::size_t n = length_ == kCanonicalLength ? end - begin : static_cast<std::size_t>(length_);
            if (state.lattice.count_by_length(n) == 0.0) continue;  // no such spelling
            state.lattice.draw_by_length(n, paths, state.drawn);
        }
        out.append(document.ids + copied, begin - copied);
        out.append(state.drawn.data(), state.drawn.size());
        copied = end;
    }
    out.append(document.ids + copied, document.n_ids - copied);
    if (parents != nullptr) append_parents(*vocabulary_, document, out, first_out, *parents);
}

CharacterSplit::CharacterSplit(std::shared_ptr<const Vocabulary> vocabulary) : vocabulary_(std::move(vocabulary)) {
    check_can_spell(*vocabulary_, "split='characters'");
}

void CharacterSplit::split(const SpannedIds& document, const DocumentKey&, Scratch& scratch, IdArray& out,
                           IdArray* parents) const {
    const Vocabulary& v = *vocabulary_;
    const std::size_t first_out = out.size();
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i < document.n_ids;) {
        if (scratch.interrupt != nullptr) scratch.interrupt->check();
        // A character's bytes may lie in several tokens: those up to the next special one are looked at together.
        bytes.clear();
        for (; i < document.n_ids && v.is_model(document.ids[i]) && bytes.size() < 4096; ++i) {
            const Bytes token = v.token_bytes(document.ids[i]);
            bytes.insert(bytes.end(), token.begin(), token.end());
        }
        // ... and, if the text goes on, up to a byte that begins a character.
        for (; i < document.n_ids && v.is_model(document.ids[i]) && (v.token_bytes(document.ids[i])[0] & 0xc0) == 0x80;
             ++i) {
            const Bytes token = v.token_bytes(document.ids[i]);
            bytes.insert(bytes.end(), token.begin(), token.end());
        }
        for (std::size_t at = 0; at < bytes.size();) {
            const Char c = decode_char(bytes.data() + at, bytes.size() - at);
            const Bytes character = Bytes(bytes).subspan(at, c.n_bytes);
            const TokenId whole = v.find(character);
            if (whole != kNoToken && v.is_model(whole)) {
                out.append(&whole, 1);
            } else {
                const bool is_bytes = v.options().alphabet == Alphabet::kBytes;
                for (const std::uint8_t byte : character) {
                    const TokenId symbol = is_bytes ? v.byte_symbol(byte) : v.fallback_symbol(byte);
                    out.append(&symbol, 1);
                }
            }
            at += c.n_bytes;
        }
        if (i < document.n_ids && !v.is_model(document.ids[i])) out.append(&document.ids[i++], 1);
    }
    if (parents != nullptr) append_parents(v, document, out, first_out, *parents);
}

}  // namespace fissile
