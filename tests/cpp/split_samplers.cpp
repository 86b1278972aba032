// Samplers on long random documents, for sanitizers to look at: what is remembered changes no ids, and splits spell the
// same bytes.
#include <random>
#include <set>
#include <string>

#include "check.hpp"
#include "stochastic/bpe_dropout.hpp"
#include "stochastic/split_model.hpp"
#include "stochastic/stochastok.hpp"
#include "vocab/rank_file.hpp"

using namespace fissile;

namespace {

std::shared_ptr<const Vocabulary> random_vocabulary(std::mt19937& random, int n_tokens) {
    RankTokens tokens;
    TokenId rank = 0;
    for (int byte = 0; byte < 256; ++byte) {
        const auto b = static_cast<std::uint8_t>(byte);
        tokens.add({&b, 1}, rank++);
    }
    std::vector<std::string> strings{"a", "b", "c", "d"};
    std::set<std::string> known(strings.begin(), strings.end());
    for (int i = 0; i < n_tokens * 4 && static_cast<int>(strings.size()) < n_tokens; ++i) {
        const std::string joined = strings[random() % strings.size()] + strings[random() % strings.size()];
        if (joined.size() > 12 || !known.insert(joined).second) continue;
        strings.push_back(joined);
        tokens.add(as_bytes(joined), rank++);
    }
    return vocabulary_from_ranks(tokens, {}, "random");
}

struct Document {
    std::vector<TokenId> ids;
    std::vector<std::uint32_t> ends;

    SpannedIds spanned() const { return {ids.data(), ids.size(), ends.data(), ends.size()}; }
};

// Words of one to five tokens, mostly of few different ones, as in text.
Document random_document(std::mt19937& random, const Vocabulary& v, std::size_t n_words) {
    Document document;
    for (std::size_t i = 0; i < n_words; ++i) {
        const std::size_t n = i % 50 == 0 ? 40 : 1 + random() % (1 + random() % 5);
        for (std::size_t k = 0; k < n; ++k) {
            const std::size_t most = random() % 4 == 0 ? v.n_vocab() - 256 : 20;
            document.ids.push_back(static_cast<TokenId>(256 + random() % most));
        }
        document.ends.push_back(static_cast<std::uint32_t>(document.ids.size()));
    }
    return document;
}

std::vector<TokenId> split(const Splitter& splitter, Splitter::Scratch& scratch, const Document& document,
                           std::uint64_t index) {
    IdArray out;
    splitter.split(document.spanned(), {7, 1, index}, scratch, out, nullptr);
    return {out.data(), out.data() + out.size()};
}

std::string text_of(const Vocabulary& v, const std::vector<TokenId>& ids) {
    std::string text;
    for (const TokenId id : ids) text.append(v.token_bytes(id).begin(), v.token_bytes(id).end());
    return text;
}

}  // namespace

int main() {
    std::mt19937 random(8);
    for (const int n_tokens : {30, 120, 3000}) {
        const auto v = random_vocabulary(random, n_tokens);
        const SplitModel model(v);
        for (const bool any : {false, true}) {
            for (const DropoutLaw law : {DropoutLaw::kPaper, DropoutLaw::kSentencePiece, DropoutLaw::kTokenizers}) {
                const BpeDropout remembering(model.merges(any), 0.2, law), plain(model.merges(any), 0.2, law, false);
                const auto memory = remembering.make_scratch(), none = plain.make_scratch();
                for (std::uint64_t index = 0; index < 3; ++index) {
                    const Document document = random_document(random, *v, 2000);
                    CHECK(split(remembering, *memory, document, index) == split(plain, *none, document, index));
                }
            }
        }
        for (const double p : {0.1, 1.0}) {
            const StochasTok stochastok(model.table(), p, 500, {});
            const auto scratch = stochastok.make_scratch();
            for (const std::size_t n_words : {1, 20, 700, 30000}) {
                const Document document = random_document(random, *v, n_words);
                CHECK(text_of(*v, split(stochastok, *scratch, document, n_words)) == text_of(*v, document.ids));
            }
        }
    }
    return check::result();
}
