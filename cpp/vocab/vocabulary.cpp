#include "vocab/vocabulary.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

#include "text/utf8.hpp"

namespace fissile {

namespace {

std::string quoted(Bytes bytes) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text = "b'";
    for (std::size_t i = 0; i < bytes.size() && i < 40; ++i) {
        const std::uint8_t b = bytes[i];
        if (b >= 32 && b < 127 && b != '\'' && b != '\\') {
            text += static_cast<char>(b);
        } else {
            text += {'\\', 'x', kHex[b >> 4], kHex[b & 15]};
        }
    }
    return text + (bytes.size() > 40 ? "...'" : "'");
}

}  // namespace

TokenId Vocabulary::find(Bytes token) const {
    if (token.empty()) return kNoToken;
    if (!index_is_made_.load(std::memory_order_acquire)) make_index();
    return index_.find(token, [this](TokenId id) { return token_bytes(id); });
}

// Of a vocabulary that was built without it: the tokens of the model, of which no two have the same bytes.
void Vocabulary::make_index() const {
    std::call_once(index_made_, [this] {
        index_.reserve(n_vocab(), n_vocab());
        for (TokenId id = 0; id < n_vocab(); ++id) {
            if (is_model(id)) index_.insert(id, [this](TokenId of) { return token_bytes(of); });
        }
        index_is_made_.store(true, std::memory_order_release);
    });
}

TokenId Vocabulary::find_any(Bytes token) const {
    if (const TokenId id = find(token); id != kNoToken) return id;
    for (TokenId id = 0; id < n_vocab(); ++id) {
        const Bytes bytes = token_bytes(id);
        if (has_token(id) && std::equal(bytes.begin(), bytes.end(), token.begin(), token.end())) return id;
    }
    return kNoToken;
}

std::vector<Merge> Vocabulary::merges() const {
    if (!merges_.empty()) return merges_;
    std::vector<Merge> merges;
    merges.reserve(n_merges_);
    for (TokenId id = 0; id < n_vocab() && merges.size() < n_merges_; ++id) {
        if (splits_[id].first != kNoToken) merges.push_back({splits_[id].first, splits_[id].second, id});
    }
    return merges;
}

TokenId Vocabulary::char_symbol(std::uint32_t code_point) const {
    if (code_point < bmp_symbols_.size()) return bmp_symbols_[code_point];
    const auto found = astral_symbols_.find(code_point);
    return found == astral_symbols_.end() ? kNoToken : found->second;
}

VocabularyBuilder::VocabularyBuilder(std::string source, ModelOptions options)
    : source_(std::move(source)), kernels_(merge_kernels_for(chosen_isa())), v_(std::make_shared<Vocabulary>()) {
    v_->options_ = options;
}

void VocabularyBuilder::reserve(std::size_t n_tokens, std::size_t n_bytes) {
    begins_.reserve(n_tokens + 1);
    data_.reserve(n_bytes);
}

void VocabularyBuilder::fail(const std::string& what) const { throw FileError(source_ + ": " + what); }

void VocabularyBuilder::add(TokenId id, Bytes bytes, Vocabulary::Kind kind) {
    if (id > kMaxTokenId) {
        fail("id " + std::to_string(id) + " of token " + quoted(bytes) + " is above the largest supported, " +
             std::to_string(kMaxTokenId));
    }
    if (data_.size() + bytes.size() > 0xffffffffu) fail("tokens hold more than 4 GiB of bytes");
    if (!entries_.empty() || id != begins_.size() || kind != Vocabulary::Kind::kModel) {
        for (std::size_t i = entries_.size(); i < begins_.size(); ++i) {
            entries_.push_back({static_cast<TokenId>(i), static_cast<std::uint32_t>(Vocabulary::Kind::kModel)});
        }
        entries_.push_back({id, static_cast<std::uint32_t>(kind)});
    }
    begins_.push_back(static_cast<std::uint32_t>(data_.size()));
    data_.insert(data_.end(), bytes.begin(), bytes.end());
}

void VocabularyBuilder::add_model_token(TokenId id, Bytes bytes) {
    if (bytes.empty()) fail("token with id " + std::to_string(id) + " is empty");
    add(id, bytes, Vocabulary::Kind::kModel);
}

void VocabularyBuilder::add_opaque_token(TokenId id, Bytes bytes) { add(id, bytes, Vocabulary::Kind::kOpaque); }

void VocabularyBuilder::add_fallback_token(TokenId id, std::uint8_t byte) {
    add(id, {&byte, 1}, Vocabulary::Kind::kFallback);
}

void VocabularyBuilder::add_added_token(TokenId id, Bytes content, bool special) {
    if (content.empty()) fail("added token with id " + std::to_string(id) + " is empty");
    add(id, content, special ? Vocabulary::Kind::kSpecial : Vocabulary::Kind::kAdded);
}

std::size_t VocabularyBuilder::n_entries() const { return in_order_ ? v_->n_vocab() : begins_.size(); }

VocabularyBuilder::Entry VocabularyBuilder::entry(std::size_t i) const {
    if (in_order_) return {static_cast<TokenId>(i), static_cast<std::uint32_t>(v_->kinds_[i])};
    if (!entries_.empty()) return entries_[i];
    return {static_cast<TokenId>(i), static_cast<std::uint32_t>(Vocabulary::Kind::kModel)};
}

// How many entries from the first one on are where they belong, if what follows has larger ids and is found in text;
// else 0.
std::size_t VocabularyBuilder::n_in_order() const {
    if (entries_.empty()) return begins_.size();
    std::size_t n = 0;
    while (n < entries_.size() && entries_[n].id == n) ++n;
    const bool rest_is_added =
        std::all_of(entries_.begin() + static_cast<std::ptrdiff_t>(n), entries_.end(),
                    [n](const Entry& e) { return e.id >= n && e.kind() >= Vocabulary::Kind::kAdded; });
    return rest_is_added ? n : 0;
}

// As most files have them: the first ones stay where they are, and the rest is put in order of id behind them.
void VocabularyBuilder::take_in_order(std::size_t n_in_place, std::size_t n_vocab) {
    Vocabulary& v = *v_;
    begins_.push_back(static_cast<std::uint32_t>(data_.size()));
    std::map<TokenId, std::size_t> rest;  // id -> the last entry of that id, counted from the first of the rest
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        v.kinds_[entries_[i].id] = entries_[i].kind();
        if (i >= n_in_place) rest[entries_[i].id] = i - n_in_place;
    }
    entries_.clear();
    const auto places = begins_.begin() + static_cast<std::ptrdiff_t>(n_in_place);
    const std::size_t n_bytes = *places;
    const std::vector<std::uint32_t> rest_begins(places, begins_.end());
    const std::vector<std::uint8_t> rest_data(data_.begin() + static_cast<std::ptrdiff_t>(n_bytes), data_.end());
    begins_.resize(n_in_place);
    data_.resize(n_bytes);
    const auto end = [this] { return static_cast<std::uint32_t>(data_.size()); };
    for (const auto& [id, i] : rest) {
        begins_.resize(id + 1, end());
        const Bytes bytes = Bytes(rest_data).subspan(rest_begins[i] - n_bytes, rest_begins[i + 1] - rest_begins[i]);
        data_.insert(data_.end(), bytes.begin(), bytes.end());
    }
    begins_.resize(n_vocab + 1, end());
    v.token_begin_ = std::exchange(begins_, {});
    v.token_data_ = std::exchange(data_, {});
    in_order_ = true;
}

void VocabularyBuilder::lay_out_tokens() {
    Vocabulary& v = *v_;
    if (begins_.empty()) fail("no tokens");
    std::size_t n_vocab = entries_.empty() ? begins_.size() : 0;
    for (const Entry& e : entries_) n_vocab = std::max(n_vocab, std::size_t{e.id} + 1);
    // A file with one token and id 200,000,000 is broken; do not allocate for it.
    if (n_vocab > begins_.size() * 16 + (1u << 20)) {
        fail("largest id is " + std::to_string(n_vocab - 1) + ", but there are only " + std::to_string(begins_.size()) +
             " tokens");
    }
    v.reachable_.assign(n_vocab, false);
    v.splits_.assign(n_vocab, {kNoToken, kNoToken});
    v.kinds_.assign(n_vocab, entries_.empty() ? Vocabulary::Kind::kModel : Vocabulary::Kind::kUnused);
    if (const std::size_t n_in_place = n_in_order(); n_in_place != 0) {
        take_in_order(n_in_place, n_vocab);
        return;
    }
    v.token_begin_.reserve(n_vocab + 1);
    constexpr std::uint32_t kNone = 0xffffffffu;
    std::vector<std::uint32_t> entry_of(n_vocab, kNone);
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
        const Entry& e = entries_[i];
        const bool added = e.kind() == Vocabulary::Kind::kAdded || e.kind() == Vocabulary::Kind::kSpecial;
        if (entry_of[e.id] != kNone && !added) {
            fail("id " + std::to_string(e.id) + " is given twice, to " + quoted(bytes_of(entry_of[e.id])) + " and to " +
                 quoted(bytes_of(i)));
        }
        entry_of[e.id] = i;
    }
    // Holes are for tokens that are found in text, which the model may have as well: it is without them up to the last
    // token that is only its own.
    std::size_t n_model = n_vocab;
    while (n_model > 0 &&
           (entry_of[n_model - 1] == kNone || entries_[entry_of[n_model - 1]].kind() >= Vocabulary::Kind::kAdded)) {
        --n_model;
    }
    v.token_data_.reserve(data_.size());
    for (std::size_t id = 0; id < n_vocab; ++id) {
        v.token_begin_.push_back(static_cast<std::uint32_t>(v.token_data_.size()));
        if (entry_of[id] == kNone) {
            if (id < n_model) fail("no token has id " + std::to_string(id) + "; ids must have no holes");
            continue;
        }
        const Bytes bytes = bytes_of(entry_of[id]);
        v.kinds_[id] = entries_[entry_of[id]].kind();
        v.token_data_.insert(v.token_data_.end(), bytes.begin(), bytes.end());
    }
    v.token_begin_.push_back(static_cast<std::uint32_t>(v.token_data_.size()));
}

// What an entry was given, which an entry of the same id may have replaced in the vocabulary.
Bytes VocabularyBuilder::bytes_of(std::size_t entry) const {
    if (in_order_) return v_->token_bytes(static_cast<TokenId>(entry));
    const std::size_t end = entry + 1 < begins_.size() ? begins_[entry + 1] : data_.size();
    return Bytes(data_).subspan(begins_[entry], end - begins_[entry]);
}

void VocabularyBuilder::index_tokens() {
    Vocabulary& v = *v_;
    v.index_.reserve(n_entries(), v.n_vocab());
    indexed_.assign(v.n_vocab(), false);
    const auto token_bytes = [&v](TokenId id) { return v.token_bytes(id); };
    std::array<std::uint64_t, kBlock> hashes;
    for (std::size_t begin = 0; begin < n_entries(); begin += kBlock) {
        const std::size_t n = std::min(kBlock, n_entries() - begin);
        for (std::size_t i = 0; i < n; ++i) {
            hashes[i] = TokenIndex::hash(bytes_of(begin + i));
            v.index_.ask(hashes[i]);
        }
        for (std::size_t i = 0; i < n; ++i) {
            const Entry e = entry(begin + i);
            if (e.kind() != Vocabulary::Kind::kModel) continue;
            // An id that was named again as an added token keeps its place in the model only with the same bytes.
            const Bytes bytes = v.token_bytes(e.id);
            if (!std::ranges::equal(bytes, bytes_of(begin + i))) continue;
            const TokenId first = v.index_.insert(e.id, hashes[i], token_bytes);
            if (first != e.id && v.options_.alphabet == Alphabet::kBytes) {
                fail("token " + quoted(bytes) + " is given twice, with ids " + std::to_string(first) + " and " +
                     std::to_string(e.id));
            }
            indexed_[e.id] = first == e.id;
        }
    }
    v.index_is_made_.store(true, std::memory_order_release);
}

// Each byte's token; also where tokens are not indexed.
void VocabularyBuilder::find_byte_symbols() {
    Vocabulary& v = *v_;
    if (v.index_is_made_) {
        for (unsigned byte = 0; byte < 256; ++byte) {
            const auto b = static_cast<std::uint8_t>(byte);
            v.byte_symbols_[byte] = v.find({&b, 1});
        }
        return;
    }
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const Bytes token = v.token_bytes(id);
        if (token.size() != 1 || !v.is_model(id)) continue;
        if (v.byte_symbols_[token[0]] != kNoToken) index_tokens();  // which refuses it
        v.byte_symbols_[token[0]] = id;
    }
}

void VocabularyBuilder::set_symbols() {
    Vocabulary& v = *v_;
    v.byte_symbols_.fill(kNoToken);
    v.fallback_symbols_.fill(kNoToken);
    for (std::size_t i = 0; i < n_entries(); ++i) {
        const Entry e = entry(i);
        if (e.kind() == Vocabulary::Kind::kFallback) v.fallback_symbols_[bytes_of(i)[0]] = e.id;
    }
    if (v.options_.alphabet == Alphabet::kBytes) {
        v.byte_pair_ranks_.assign(65536, kNoRank);
        v.has_all_bytes_ = true;
        find_byte_symbols();
        for (const TokenId id : v.byte_symbols_) {
            if (id == kNoToken) {
                v.has_all_bytes_ = false;
            } else {
                v.reachable_[id] = true;
            }
        }
        return;
    }
    v.bmp_symbols_.assign(65536, kNoToken);
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const Bytes token = v.token_bytes(id);
        if (token.empty() || token.size() > 4) continue;
        const Char c = decode_char(token.data(), token.size());
        if (c.code_point == kInvalid || c.n_bytes != token.size() || v.find(token) != id) continue;
        if (c.code_point < 65536) {
            v.bmp_symbols_[c.code_point] = id;
        } else {
            v.astral_symbols_[c.code_point] = id;
        }
        v.reachable_[id] = true;
    }
    // Tokens are spelt with a space for U+2581, so the character itself is looked up as a space.
    if (v.options_.metaspace) v.bmp_symbols_[0x2581] = v.bmp_symbols_[' '];
}

// The id that the merge of each rank makes; where they are in order, the first says it all.
void VocabularyBuilder::set_results(std::vector<TokenId> results) {
    Vocabulary& v = *v_;
    v.n_results_ = results.size();
    v.first_result_ = results.empty() ? kNoToken : results[0];
    v.results_are_in_order_ = std::adjacent_find(results.begin(), results.end(),
                                                 [](TokenId a, TokenId b) { return b != a + 1; }) == results.end();
    if (!v.results_are_in_order_) v.results_ = std::move(results);
}

void VocabularyBuilder::insert_pair(TokenId left, TokenId right, std::uint32_t rank) {
    Vocabulary& v = *v_;
    v.pairs_.insert(left, right, rank);
    if (v.options_.alphabet != Alphabet::kBytes) return;
    const Bytes l = v.token_bytes(left), r = v.token_bytes(right);
    if (l.size() == 1 && r.size() == 1 && v.byte_symbols_[l[0]] == left && v.byte_symbols_[r[0]] == right) {
        v.byte_pair_ranks_[std::size_t{l[0]} << 8 | r[0]] = rank;
    }
}

// Where ids are in order, as most files have them, loading finds what is given twice without an index, which is left
// for who asks for tokens by their bytes.
std::shared_ptr<const Vocabulary> VocabularyBuilder::finish_ranks() {
    lay_out_tokens();
    if (!in_order_) index_tokens();
    set_symbols();
    Vocabulary& v = *v_;
    if (!derive_rank_merges()) {
        std::vector<std::uint32_t> rank_of(v.n_vocab(), kNoRank);
        for (TokenId id = 0; id < v.n_vocab(); ++id) {
            if (v.kinds_[id] == Vocabulary::Kind::kModel) rank_of[id] = id;
        }
        insert_all_splits(rank_of);
        // With every pair listed, some token that the derived pairs reached may be out of reach.
        for (TokenId id = 0; id < v.n_vocab(); ++id) {
            if (v.splits_[id].first != kNoToken) v.reachable_[id] = false;
        }
        std::fill(v.splits_.begin(), v.splits_.end(), std::pair{kNoToken, kNoToken});
        v.merge_orders_.assign(v.n_vocab(), 0);
        find_splits();
        check_order();
    }
    return v_;
}

std::shared_ptr<const Vocabulary> VocabularyBuilder::finish_merges(std::vector<Merge> merges) {
    lay_out_tokens();
    index_tokens();
    set_symbols();
    Vocabulary& v = *v_;
    v.pairs_ = PairRanks(v.n_vocab(), merges.size());
    std::vector<TokenId> results;
    results.reserve(merges.size());
    for (const Merge& merge : merges) results.push_back(merge.result);
    set_results(std::move(results));
    constexpr std::uint32_t kAhead = 16;
    for (std::uint32_t rank = 0; rank < merges.size(); ++rank) {
        if (rank + kAhead < merges.size()) v.pairs_.ask(merges[rank + kAhead].left, merges[rank + kAhead].right);
        insert_pair(merges[rank].left, merges[rank].right, rank);
    }
    v.n_merges_ = merges.size();
    v.merges_ = std::move(merges);
    v.merge_orders_.assign(v.n_vocab(), 0);
    find_listed_splits();
    find_splits();
    check_order();
    return v_;
}

std::shared_ptr<const Vocabulary> VocabularyBuilder::finish_scores(const std::vector<TokenId>& pieces,
                                                                   const std::vector<float>& scores,
                                                                   const std::vector<TokenId>& unused) {
    lay_out_tokens();
    index_tokens();
    set_symbols();
    Vocabulary& v = *v_;
    // Ranks in the order of scores; equal scores merge from left to right, whichever piece they make.
    std::vector<std::size_t> places(pieces.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    std::stable_sort(places.begin(), places.end(), [&](std::size_t x, std::size_t y) { return scores[x] > scores[y]; });
    std::vector<std::uint32_t> rank_of(v.n_vocab(), kNoRank);
    std::vector<TokenId> results;
    std::vector<std::uint32_t> orders;
    for (const std::size_t place : places) {
        const auto rank = static_cast<std::uint32_t>(results.size());
        const bool tied = rank > 0 && scores[place] == scores[places[rank - 1]];
        orders.push_back(tied ? orders.back() : rank);
        rank_of[pieces[place]] = rank;
        results.push_back(pieces[place]);
    }
    set_results(std::move(results));
    if (std::adjacent_find(orders.begin(), orders.end()) != orders.end()) v.tied_orders_ = std::move(orders);
    insert_all_splits(rank_of);
    v.merge_orders_.assign(v.n_vocab(), 0);
    find_splits();
    check_order();
    note_unused(unused);
    return v_;
}

// SentencePiece takes an unused piece apart at the pair that it saw last in the text. With one pair to choose from that
// is the pair it merges from.
void VocabularyBuilder::note_unused(const std::vector<TokenId>& unused) {
    Vocabulary& v = *v_;
    if (unused.empty()) return;
    std::vector<std::uint32_t> n_pairs(v.n_vocab(), 0);
    for (const Merge& merge : v.merges_) ++n_pairs[merge.result];
    for (const TokenId id : unused) {
        if (v.splits_[id].first == kNoToken) continue;  // a character, or a piece that no merge makes
        if (n_pairs[id] != 1) {
            fail("piece " + std::to_string(id) + " " + quoted(v.token_bytes(id)) + " of type UNUSED merges from " +
                 std::to_string(n_pairs[id]) + " pairs; one is supported");
        }
        v.unused_[id] = {v.splits_[id].first, v.splits_[id].second};
    }
}

void Vocabulary::replace_unused(std::vector<TokenId>& ids) const {
    std::vector<TokenId> stack;
    std::vector<TokenId> replaced;
    for (const TokenId id : ids) {
        stack.push_back(id);
        while (!stack.empty()) {
            const TokenId next = stack.back();
            stack.pop_back();
            const auto found = unused_.find(next);
            if (found == unused_.end()) {
                replaced.push_back(next);
            } else {
                stack.insert(stack.end(), found->second.rbegin(), found->second.rend());
            }
        }
    }
    ids = std::move(replaced);
}

}  // namespace fissile
