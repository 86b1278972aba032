#include "vocab/vocabulary_parts.hpp"

#include <algorithm>

#include "text/utf8.hpp"

namespace fissile {

namespace {

bool is_utf8(Bytes text) {
    for (std::size_t i = 0; i < text.size();) {
        const Char c = decode_char(text.data() + i, text.size() - i);
        if (c.code_point == kInvalid) return false;
        i += c.n_bytes;
    }
    return true;
}

}  // namespace

VocabularyParts parts_of(const Vocabulary& v, VocabularyParts::Rule rule) {
    VocabularyParts parts;
    parts.token_begin.push_back(0);
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const Bytes token = v.token_bytes(id);
        parts.token_data.insert(parts.token_data.end(), token.begin(), token.end());
        parts.token_begin.push_back(static_cast<std::uint32_t>(parts.token_data.size()));
        std::uint8_t role = 0;
        if (!v.has_token(id)) {
            parts.roles.push_back(role);
            continue;
        }
        if (v.is_model(id) || v.find(token) == id) {
            role |= VocabularyParts::kModel;
        } else if (token.size() == 1 && v.fallback_symbol(token[0]) == id) {
            role |= VocabularyParts::kFallback;
        }
        if (v.is_special(id)) {
            role |= VocabularyParts::kSpecial;
        } else if (v.is_added(id)) {
            role |= VocabularyParts::kAdded;
        }
        parts.roles.push_back(role == 0 ? std::uint8_t{VocabularyParts::kOpaque} : role);
    }
    if (rule == VocabularyParts::Rule::kMerges) parts.merges = v.merges();
    if (rule != VocabularyParts::Rule::kScores) return parts;
    for (std::uint32_t rank = 0; rank < v.n_results(); ++rank) {
        const TokenId id = v.results()[rank];
        parts.results.push_back(id);
        parts.orders.push_back(v.tied_orders() == nullptr ? rank : v.tied_orders()[rank]);
        if (v.is_unused(id)) parts.unused.push_back(id);
    }
    return parts;
}

std::shared_ptr<const Vocabulary> vocabulary_from_parts(const VocabularyParts& parts, VocabularyParts::Rule rule,
                                                        const ModelOptions& options, const std::string& source) {
    const auto check = [&](bool fits, const char* what) {
        if (!fits) throw FileError(source + ": " + what);
    };
    const std::size_t n = parts.roles.size();
    check(parts.token_begin.size() == n + 1 && parts.token_begin[0] == 0 &&
              parts.token_begin[n] == parts.token_data.size() &&
              std::is_sorted(parts.token_begin.begin(), parts.token_begin.end()),
          "the places of the tokens do not fit their number");
    check(options.unk == kNoToken || options.unk < n, "the unknown token is not in the vocabulary");
    VocabularyBuilder builder(source, options);
    builder.reserve(n, parts.token_data.size());
    for (TokenId id = 0; id < n; ++id) {
        const Bytes token =
            Bytes(parts.token_data).subspan(parts.token_begin[id], parts.token_begin[id + 1] - parts.token_begin[id]);
        const std::uint8_t role = parts.roles[id];
        if ((role & VocabularyParts::kModel) != 0) {
            builder.add_model_token(id, token);
        } else if ((role & VocabularyParts::kFallback) != 0) {
            check(token.size() == 1, "a token of one byte has another number of them");
            builder.add_fallback_token(id, token[0]);
        } else if ((role & VocabularyParts::kOpaque) != 0) {
            builder.add_opaque_token(id, token);
        }
        if ((role & (VocabularyParts::kAdded | VocabularyParts::kSpecial)) != 0) {
            check(is_utf8(token), "an added token is not UTF-8");
            builder.add_added_token(id, token, (role & VocabularyParts::kSpecial) != 0);
        }
    }
    // An id that is not used has no token to merge.
    const auto is_token = [&](TokenId id) { return id < n && parts.roles[id] != 0; };
    if (rule == VocabularyParts::Rule::kRanks) return builder.finish_ranks();
    if (rule == VocabularyParts::Rule::kMerges) {
        check(std::all_of(parts.merges.begin(), parts.merges.end(),
                          [&](const Merge& m) { return is_token(m.left) && is_token(m.right) && is_token(m.result); }),
              "a merge is of tokens that are not in the vocabulary");
        return builder.finish_merges(parts.merges);
    }
    check(parts.orders.size() == parts.results.size() &&
              std::all_of(parts.results.begin(), parts.results.end(), is_token) &&
              std::all_of(parts.unused.begin(), parts.unused.end(), is_token),
          "a score is of a piece that is not in the vocabulary");
    std::vector<float> scores;
    for (const std::uint32_t order : parts.orders) scores.push_back(-static_cast<float>(order));
    return builder.finish_scores(parts.results, scores, parts.unused);
}

}  // namespace fissile
