// What the machine allows, measured in the same run: copying, one class of bytes, characters, loads, tables and counts
// that do nothing else.
#include <bit>
#include <cstring>

#include "blocks.hpp"
#include "cpu/huge_buffer.hpp"
#include "stage.hpp"
#include "text/utf8.hpp"

namespace micro {

namespace {

// A table with nothing but keys and a number, probed in steps of 256 keys that are asked for first: what a lookup costs
// that shares nothing, checks nothing and keeps nothing.
class BareTable {
   public:
    explicit BareTable(const std::vector<PieceKey>& keys) {
        std::size_t n_slots = 1024;
        while (n_slots < keys.size() / 2 && n_slots < (std::size_t{1} << 20)) n_slots *= 2;
        slots_.resize(n_slots);
        for (const PieceKey key : keys) {
            for (std::size_t at = home(key);; at = (at + 1) & (slots_.size() - 1)) {
                if (slots_[at].low == key.low && slots_[at].high == key.high) break;
                if (slots_[at].high != 0) continue;
                if (n_used_ < slots_.size() / 2) {
                    slots_[at] = {key.low, key.high, ++n_used_};
                }
                break;
            }
        }
    }
    // Of at most 256 keys.
    std::uint64_t sum_of(const PieceKey* keys, std::size_t n) const {
        std::uint64_t sum = 0;
        std::size_t homes[256];
        for (std::size_t i = 0; i < n; ++i) {
            homes[i] = home(keys[i]);
            prefetch(&slots_[homes[i]]);
        }
        for (std::size_t i = 0; i < n; ++i) {
            const PieceKey key = keys[i];
            std::size_t at = homes[i];
            while (slots_[at].high != 0 && (slots_[at].low != key.low || slots_[at].high != key.high)) {
                at = (at + 1) & (slots_.size() - 1);
            }
            sum += slots_[at].number;
        }
        return sum;
    }
    std::uint64_t sum_of(const std::vector<PieceKey>& keys) const {
        std::uint64_t sum = 0;
        for (std::size_t first = 0; first + 256 <= keys.size(); first += 256) sum += sum_of(&keys[first], 256);
        return sum;
    }

   private:
    struct Slot {
        std::uint64_t low, high, number;
    };
    std::size_t home(PieceKey key) const { return PieceTable::View::hash(key) >> 32 & (slots_.size() - 1); }
    std::vector<Slot> slots_;
    std::uint64_t n_used_ = 0;
};

// As many counts as the corpus of a merge loop has places, each run in another order: a pair update reads and writes
// one at the least, and which one no prefetcher guesses.
std::uint64_t update_at_random(std::vector<std::uint64_t>& counts, std::size_t n) {
    std::uint64_t state = 1;
    const std::uint64_t mask = counts.size() - 1;
    for (std::size_t i = 0; i < n; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ++counts[state >> 33 & mask];
    }
    sink = counts[0];
    return n;
}

// Every pretoken found and its key made, 256 at a time; `fold` is given them.
template <class Fold>
std::uint64_t scan_keys(const Workload& w, const Fold& fold) {
    const ScanFunction scan = scanner_for(w.pattern);
    std::uint32_t ends[256];
    std::uint32_t begin = 0;
    std::uint64_t folded = 0;
    for (std::size_t position = 0; position < w.bytes().size();) {
        const ScanResult found = scan(w.bytes(), position, ends, std::size(ends));
        PieceKey keys[256];
        for (std::size_t i = 0; i < found.n_spans; ++i) {
            keys[i] = piece_key_from_16(w.bytes().data() + begin, ends[i] - begin);
            begin = ends[i];
        }
        folded ^= fold(keys, found.n_spans);
        position = found.position;
    }
    sink = folded;
    return w.bytes().size();
}

}  // namespace

const Blocks* blocks_for(Isa isa) {
    switch (isa) {
#if (defined(__x86_64__) || defined(__amd64__)) && defined(__GNUC__)
        case Isa::kSse2:
            return &kBlocksSse2;
        case Isa::kAvx2:
            return &kBlocksAvx2;
        case Isa::kAvx512:
            return &kBlocksAvx512;
#elif defined(__aarch64__)
        case Isa::kNeon:
            return &kBlocksNeon;
#endif
        default:
            return nullptr;
    }
}

std::vector<Stage> limit_stages(const Workload& w) {
    std::vector<Stage> stages;
    const auto copy = std::make_shared<std::vector<std::uint8_t>>(w.bytes().size());
    stages.push_back({"memcpy", "byte", "", {}, [&w, copy] {
                          std::memcpy(copy->data(), w.bytes().data(), w.bytes().size());
                          sink = (*copy)[w.bytes().size() / 2];
                          return w.bytes().size();
                      }});
    const auto ids = std::make_shared<std::vector<TokenId>>(w.ids.size());
    stages.push_back({"memcpy of ids", "id", "", {}, [&w, ids] {
                          std::memcpy(ids->data(), w.ids.data(), w.ids.size() * sizeof(TokenId));
                          sink = (*ids)[w.ids.size() / 2];
                          return w.ids.size();
                      }});
    if (const Blocks* const blocks = blocks_for(chosen_isa())) {
        stages.push_back({"letters", "byte", "memcpy", {}, [&w, blocks] {
                              sink = blocks->letters(w.bytes());
                              return w.bytes().size();
                          }});
    }
    stages.push_back({"decode characters", "byte", "memcpy", {}, [&w] {
                          std::uint64_t sum = 0;
                          const Bytes text = w.bytes();
                          for (std::size_t i = 0; i < text.size();) {
                              const Char c = decode_char(text.data() + i, text.size() - i);
                              sum += c.code_point;
                              i += c.n_bytes;
                          }
                          sink = sum;
                          return text.size();
                      }});
    // A bit for each two bytes: the least that says where two characters are never joined.
    const auto bits = std::make_shared<std::vector<std::uint64_t>>(1024, 0x9249249249249249u);
    stages.push_back({"bit of two bytes", "byte", "memcpy", {}, [&w, bits] {
                          std::uint64_t n = 0;
                          const Bytes text = w.bytes();
                          for (std::size_t i = 1; i < text.size(); ++i) {
                              const unsigned both = static_cast<unsigned>(text[i - 1]) << 8 | text[i];
                              n += (*bits)[both >> 6] >> (both & 63) & 1;
                          }
                          sink = n;
                          return text.size();
                      }});
    // What looking up and counting have in common, and nothing of either.
    stages.push_back({"scan and hash", "byte", "letters", {}, [&w] {
                          return scan_keys(w, [](const PieceKey* keys, std::size_t n) {
                              std::uint64_t folded = 0;
                              for (std::size_t i = 0; i < n; ++i) folded ^= PieceTable::View::hash(keys[i]);
                              return folded;
                          });
                      }});
    stages.push_back({"two loads", "pretoken", "", {}, [&w] {
                          std::uint64_t folded = 0;
                          std::uint32_t begin = 0;
                          for (const std::uint32_t end : w.ends) {
                              std::uint64_t words[2];
                              std::memcpy(words, w.bytes().data() + begin, sizeof words);
                              folded ^= words[0] + words[1];
                              begin = end;
                          }
                          sink = folded;
                          return w.ends.size();
                      }});
    const auto table = std::make_shared<const BareTable>(w.keys);
    stages.push_back({"bare table probe", "pretoken", "", {}, [&w, table] {
                          sink = table->sum_of(w.keys);
                          return w.keys.size();
                      }});
    stages.push_back({"scan, hash and probe", "byte", "scan and hash", {}, [&w, table] {
                          return scan_keys(w,
                                           [&](const PieceKey* keys, std::size_t n) { return table->sum_of(keys, n); });
                      }});
    // Two lookups are the least a merge costs. All bytes of the text with their neighbours, asked for 64 at a time.
    stages.push_back({"two pair lookups", "merge", "", {}, [&w] {
                          const PairRanks& pairs = w.vocabulary->pairs();
                          std::uint64_t sum = 0;
                          const std::size_t n = w.ids.size() & ~std::size_t{127};
                          for (std::size_t first = 0; first < n; first += 128) {
                              const TokenId* const ids = w.ids.data() + first;
                              for (std::size_t i = 0; i < 128; i += 2) pairs.ask(ids[i], ids[i + 1]);
                              for (std::size_t i = 0; i < 128; i += 2) sum += pairs.find(ids[i], ids[i + 1]);
                          }
                          sink = sum;
                          return n / 4;
                      }});
    const auto counts = std::make_shared<std::vector<std::uint64_t>>(std::bit_ceil(w.counts.bytes.size() | 1));
    stages.push_back({"count at random", "pair update", "", {}, [&w, counts] {
                          return update_at_random(*counts, w.counts.bytes.size());
                      }});
    return stages;
}

}  // namespace micro
