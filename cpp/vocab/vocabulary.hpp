// A BPE model, immutable once built: tokens, merges, and what is derived from them.
//
// Three kinds of file become one model. Symbols (bytes, or characters) are merged by a table of pairs:
//   rank files      any pair that spells a token merges, with the token's rank (tiktoken);
//   merge lists     the listed pairs merge, in the order of the list (tokenizers);
//   scored pieces   any pair that spells a piece merges, best score first (SentencePiece).
//
// For each token, canonical merging makes it from one pair only. (No merge crosses the bounds of a token that comes
// out, so what happens inside is what happens to the token's bytes alone, and that is deterministic.) The table of a
// rank file therefore holds one pair a token, found by merging the token's own bytes: see
// VocabularyBuilder::derive_rank_merges.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base.hpp"
#include "merge/merge_keys.hpp"
#include "merge/merge_short.hpp"
#include "merge/merge_tree.hpp"
#include "vocab/merge_results.hpp"
#include "vocab/pair_ranks.hpp"
#include "vocab/token_index.hpp"

namespace fissile {

enum class Alphabet : std::uint8_t {
    kBytes,  // symbols are bytes
    kChars,  // symbols are characters
};

struct Merge {
    TokenId left, right, result;
};

struct ModelOptions {
    Alphabet alphabet = Alphabet::kBytes;
    bool metaspace = false;         // characters alphabet: U+2581 and the space are one symbol
    bool ignore_merges = false;     // a whole span that is a token is that token, merges unasked
    bool byte_fallback = false;     // characters outside the vocabulary become <0xNN> tokens
    bool fuse_unk = false;          // neighbouring unknown characters become one unknown token
    TokenId unk = kNoToken;         // what unknown characters become; kNoToken: nothing at all
    bool unknown_is_error = false;  // what unknown bytes are in a rank file
};

class Vocabulary {
   public:
    std::size_t n_vocab() const { return token_begin_.size() - 1; }
    bool has_token(TokenId id) const { return id < kinds_.size() && kinds_[id] != Kind::kUnused; }
    bool is_special(TokenId id) const { return id < kinds_.size() && kinds_[id] == Kind::kSpecial; }
    // A token found in text beside the model, and not special.
    bool is_added(TokenId id) const { return id < kinds_.size() && kinds_[id] == Kind::kAdded; }
    // The token <0xNN> of a byte.
    bool is_fallback(TokenId id) const { return id < kinds_.size() && kinds_[id] == Kind::kFallback; }
    // A token that merging is meant to make.
    bool is_model(TokenId id) const { return id < kinds_.size() && kinds_[id] == Kind::kModel; }
    // What the token decodes to; empty for ids that are not used.
    Bytes token_bytes(TokenId id) const {
        return {token_data_.data() + token_begin_[id], token_begin_[id + 1] - token_begin_[id]};
    }
    // Id of the model's token with these bytes (added and byte-fallback tokens excluded), or kNoToken.
    TokenId find(Bytes token) const;
    // The same, then among all other tokens. Slow.
    TokenId find_any(Bytes token) const;

    const ModelOptions& options() const { return options_; }
    const PairRanks& pairs() const { return pairs_; }
    // The id that the merge of each rank makes.
    MergeResults results() const { return {results_.data(), first_result_, results_are_in_order_}; }
    std::size_t n_results() const { return n_results_; }
    // Where several ranks merge in order of place: the smaller number of each rank that merges first. nullptr: each
    // rank has an order of its own.
    const std::uint32_t* tied_orders() const { return tied_orders_.empty() ? nullptr : tied_orders_.data(); }
    // Whether merging makes tokens that text never becomes, but stand for others.
    bool has_unused() const { return !unused_.empty(); }
    bool is_unused(TokenId id) const { return unused_.contains(id); }
    // Puts what unused tokens stand for in their place.
    void replace_unused(std::vector<TokenId>& ids) const;
    // Bytes alphabet: the symbol of a byte (kNoToken: none), and the rank of merging two neighbouring bytes.
    TokenId byte_symbol(std::uint8_t byte) const { return byte_symbols_[byte]; }
    std::uint32_t byte_pair_rank(std::uint8_t left, std::uint8_t right) const {
        return byte_pair_ranks_[std::size_t{left} << 8 | right];
    }
    bool has_all_bytes() const { return has_all_bytes_; }
    ByteSymbols byte_symbols() const { return {byte_symbols_.data(), byte_pair_ranks_.data(), 8}; }
    // Characters alphabet: the symbol of a character, or kNoToken.
    TokenId char_symbol(std::uint32_t code_point) const;
    // The <0xNN> token of a byte, or kNoToken.
    TokenId fallback_symbol(std::uint8_t byte) const { return fallback_symbols_[byte]; }

    // Merging the token's own bytes gives the token back.
    bool is_reachable(TokenId id) const { return reachable_[id]; }
    // The pair that canonical merging makes a reachable token from; {kNoToken, kNoToken} for a symbol.
    std::pair<TokenId, TokenId> split_of(TokenId id) const { return splits_[id]; }
    // Rank of that merge plus one; 0 for a symbol.
    std::uint32_t merge_order(TokenId id) const {
        if (!merge_orders_.empty()) return merge_orders_[id];
        return splits_[id].first == kNoToken ? 0 : id + 1;
    }
    // Every reachable token merges later than its two parts, so validity of neighbours can be decided by unmerging.
    bool merges_are_ordered() const { return merges_are_ordered_; }
    // Merges in rank order: the listed ones, or those derived from ranks, which are put together for each call.
    std::vector<Merge> merges() const;
    std::size_t n_merges() const { return n_merges_; }

   private:
    friend class VocabularyBuilder;
    enum class Kind : std::uint8_t { kUnused, kModel, kOpaque, kFallback, kAdded, kSpecial };

    void make_index() const;

    std::vector<std::uint8_t> token_data_;
    std::vector<std::uint32_t> token_begin_;  // n_vocab + 1
    std::vector<Kind> kinds_;
    mutable TokenIndex index_;  // made with the vocabulary, or when it is first asked for
    mutable std::atomic<bool> index_is_made_{false};
    mutable std::once_flag index_made_;
    ModelOptions options_;
    PairRanks pairs_;
    std::vector<TokenId> results_;  // empty where they are in order
    TokenId first_result_ = kNoToken;
    std::size_t n_results_ = 0;
    bool results_are_in_order_ = false;
    std::vector<std::uint32_t> tied_orders_;
    std::unordered_map<TokenId, std::vector<TokenId>> unused_;
    std::vector<std::uint32_t> byte_pair_ranks_;  // 65,536 for the bytes alphabet
    std::array<TokenId, 256> byte_symbols_{};
    std::array<TokenId, 256> fallback_symbols_{};
    std::vector<TokenId> bmp_symbols_;  // 65,536 for the characters alphabet
    std::unordered_map<std::uint32_t, TokenId> astral_symbols_;
    bool has_all_bytes_ = false;
    std::vector<bool> reachable_;
    std::vector<std::pair<TokenId, TokenId>> splits_;
    std::vector<std::uint32_t> merge_orders_;  // empty where each rank makes the token of its number
    bool merges_are_ordered_ = false;
    std::vector<Merge> merges_;  // empty where each token has one at most, in order of id: split_of says which
    std::size_t n_merges_ = 0;
};

// Collects tokens, checks them, and builds a Vocabulary. Errors are FileErrors that begin with `source`.
class VocabularyBuilder {
   public:
    VocabularyBuilder(std::string source, ModelOptions options);

    // Room for so many tokens, of so many bytes in all; may be left out, or be guessed too high.
    void reserve(std::size_t n_tokens, std::size_t n_bytes);

    // A token of the model, spelt as it decodes (characters alphabet: a space for U+2581).
    void add_model_token(TokenId id, Bytes bytes);
    // A token that no text reaches, because it is spelt outside the alphabet: it only decodes.
    void add_opaque_token(TokenId id, Bytes bytes);
    // The token <0xNN>.
    void add_fallback_token(TokenId id, std::uint8_t byte);
    // A token found in text beside the model. An id of the model may be named again: it becomes added too.
    void add_added_token(TokenId id, Bytes content, bool special);

    // Each finishes the builder. An id below the model's largest that nothing was added for is an error.
    std::shared_ptr<const Vocabulary> finish_ranks();
    std::shared_ptr<const Vocabulary> finish_merges(std::vector<Merge> merges);
    // scores[i] belongs to the i-th mergeable piece named; higher merges first, and of equal ones the leftmost.
    // `unused` are pieces that merge, and come apart again if they are left over.
    std::shared_ptr<const Vocabulary> finish_scores(const std::vector<TokenId>& pieces,
                                                    const std::vector<float>& scores,
                                                    const std::vector<TokenId>& unused);

   private:
    // What a token was given as; its bytes are apart.
    struct Entry {
        std::uint32_t id : 28;
        std::uint32_t kind_number : 4;
        Vocabulary::Kind kind() const { return static_cast<Vocabulary::Kind>(kind_number); }
    };
    static_assert(kMaxTokenId < 1u << 28);

    [[noreturn]] void fail(const std::string& what) const;
    void add(TokenId id, Bytes bytes, Vocabulary::Kind kind);
    void lay_out_tokens();
    std::size_t n_in_order() const;
    void take_in_order(std::size_t n_in_place, std::size_t n_vocab);
    std::size_t n_entries() const;
    Entry entry(std::size_t i) const;
    Bytes bytes_of(std::size_t entry) const;
    void set_results(std::vector<TokenId> results);
    void index_tokens();
    void find_byte_symbols();
    void set_symbols();
    void insert_pair(TokenId left, TokenId right, std::uint32_t rank);
    bool derive_rank_merges();
    void insert_all_splits(const std::vector<std::uint32_t>& rank_of);
    bool spells_out_by_ranks(TokenId id) const;
    void find_splits();
    void find_listed_splits();
    void note_split(TokenId id, TokenId left, TokenId right, std::uint32_t rank);
    bool find_symbols(TokenId id);
    template <unsigned kWidth>
    void fill_lane(MergeLane<kWidth>& lane) const;
    template <unsigned kWidth>
    void take_symbols(const MergeLane<kWidth>& lane);
    void merge_symbols();
    bool find_rest(TokenId id, std::size_t place);
    void merge_narrow(const TokenId* ids, std::size_t n);
    void check_order();
    void note_unused(const std::vector<TokenId>& unused);

    std::string source_;
    const MergeKernels& kernels_;
    // Empty as long as all that was given is tokens of the model, in order of id, and where in_order_; see entry().
    std::vector<Entry> entries_;
    // The bytes of the entries, and where each one's begin; where they are in order of id, the vocabulary takes both.
    std::vector<std::uint8_t> data_;
    std::vector<std::uint32_t> begins_;
    std::vector<bool> indexed_;  // id -> the index gives it for its bytes
    bool in_order_ = false;      // the vocabulary has all that was given, and entry i is its id i
    std::shared_ptr<Vocabulary> v_;
    // Tokens are indexed, and merged, in blocks of so many.
    static constexpr std::size_t kBlock = 32;
    std::vector<TokenId> symbols_;  // of the token in hand
    // What merge_narrow leaves of each token of a block; of one that fits no lane, no parts.
    std::array<MergedKey, kBlock> parts_{};
    std::array<std::uint8_t, kBlock> n_parts_{};
    MergeLane<64> wide_;
    MergeTreeScratch tree_;
};

}  // namespace fissile
