// What the machine allows, measured in the same run: copying, one class of bytes, a bare table, pairs of ids.
#include <bit>
#include <cstring>

#include "blocks.hpp"
#include "cpu/huge_buffer.hpp"
#include "stage.hpp"

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
    std::uint64_t sum_of(const std::vector<PieceKey>& keys) const {
        std::uint64_t sum = 0;
        for (std::size_t first = 0; first + 256 <= keys.size(); first += 256) {
            std::size_t homes[256];
            for (std::size_t i = 0; i < 256; ++i) {
                homes[i] = home(keys[first + i]);
                prefetch(&slots_[homes[i]]);
            }
            for (std::size_t i = 0; i < 256; ++i) {
                const PieceKey key = keys[first + i];
                std::size_t at = homes[i];
                while (slots_[at].high != 0 && (slots_[at].low != key.low || slots_[at].high != key.high)) {
                    at = (at + 1) & (slots_.size() - 1);
                }
                sum += slots_[at].number;
            }
        }
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
    const auto table = std::make_shared<const BareTable>(w.keys);
    stages.push_back({"bare table probe", "pretoken", "", {}, [&w, table] {
                          sink = table->sum_of(w.keys);
                          return w.keys.size();
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
    return stages;
}

}  // namespace micro
