// What the samplers need to know of a vocabulary, each part worked out when the first sampler asks for it, by one
// thread while others wait.
#pragma once

#include <memory>
#include <mutex>

#include "stochastic/merge_relation.hpp"
#include "stochastic/split_table.hpp"
#include "vocab/token_prefixes.hpp"
#include "vocab/vocabulary.hpp"

namespace fissile {

class SplitModel {
   public:
    explicit SplitModel(std::shared_ptr<const Vocabulary> vocabulary) : vocabulary_(std::move(vocabulary)) {}

    const std::shared_ptr<const Vocabulary>& vocabulary() const { return vocabulary_; }

    std::shared_ptr<const SplitTable> table() const {
        std::call_once(table_built_, [this] { table_ = std::make_shared<const SplitTable>(*vocabulary_); });
        return table_;
    }

    std::shared_ptr<const MergeRelation> merges(bool any) const {
        if (any) {
            std::call_once(any_built_, [this] { any_ = MergeRelation::any(vocabulary_, *table()); });
            return any_;
        }
        std::call_once(listed_built_, [this] { listed_ = MergeRelation::listed(vocabulary_); });
        return listed_;
    }

    // Of all tokens of the model.
    std::shared_ptr<const TokenPrefixes> prefixes() const {
        std::call_once(prefixes_made_, [this] {
            prefixes_ = std::make_shared<const TokenPrefixes>(*vocabulary_, TokenPrefixes::Tokens::kModel);
        });
        return prefixes_;
    }

   private:
    std::shared_ptr<const Vocabulary> vocabulary_;
    mutable std::once_flag table_built_;
    mutable std::shared_ptr<const SplitTable> table_;
    mutable std::once_flag any_built_, listed_built_, prefixes_made_;
    mutable std::shared_ptr<const MergeRelation> any_, listed_;
    mutable std::shared_ptr<const TokenPrefixes> prefixes_;
};

// Throws Error unless p is a probability.
inline void check_chance(double p, const std::string& name) {
    if (!(p >= 0.0 && p <= 1.0)) throw Error(name + " must be from 0 to 1, not " + std::to_string(p));
}

}  // namespace fissile
