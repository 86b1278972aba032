// The tables of known pieces under several threads: what is found is what was put in, also while the table grows.
#include "merge/piece_table.hpp"

#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "merge/long_pieces.hpp"

using namespace fissile;

namespace {

std::string piece_text(unsigned i) { return "piece" + std::to_string(i); }

// 1 to 7 ids that depend on the number.
std::vector<TokenId> piece_ids(unsigned i) {
    std::vector<TokenId> ids;
    for (unsigned k = 0; k <= i % 7; ++k) ids.push_back(i * 8 + k);
    return ids;
}

bool is_right(KnownIds known, unsigned i) {
    return std::vector<TokenId>(known.ids, known.ids + known.n_ids) == piece_ids(i);
}

}  // namespace

int main() {
    constexpr unsigned kPieces = 20000, kThreads = 4;
    {
        PieceTable table(16, std::size_t{64} << 20);
        LongPieces long_pieces(16, std::size_t{64} << 20);
        std::vector<unsigned> wrong(kThreads), found(kThreads);
        const auto work = [&](unsigned thread) {
            for (unsigned n = 0; n < kPieces; ++n) {
                const unsigned i = (n * 7 + thread * 5000) % kPieces;
                const std::string text = piece_text(i), long_text = text + text + text;
                const std::vector<TokenId> ids = piece_ids(i);
                const PieceKey key = piece_key(as_bytes(text).data(), text.size());
                TokenId four[kMaxInlineIds];
                if (const PieceTable::Entry* entry = table.view().find(key)) {
                    ++found[thread];
                    wrong[thread] += !is_right(PieceTable::ids_of(*entry, four), i);
                } else {
                    table.insert(key, ids.data(), ids.size());
                }
                if (const KnownIds known = long_pieces.find(as_bytes(long_text)); known.ids != nullptr) {
                    wrong[thread] += !is_right(known, i);
                } else {
                    long_pieces.insert(as_bytes(long_text), ids.data(), ids.size());
                }
            }
        };
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
        for (std::thread& thread : threads) thread.join();
        for (unsigned t = 0; t < kThreads; ++t) CHECK_EQUAL(wrong[t], 0u);
        // Some are lost while the table grows, how many is a matter of time; none is once nobody else inserts.
        work(0);
        unsigned kept = 0, long_kept = 0;  // of the long ones as many as take more than the first memory for them
        for (unsigned i = 0; i < kPieces; ++i) {
            const std::string text = piece_text(i);
            kept += table.view().find(piece_key(as_bytes(text).data(), text.size())) != nullptr;
            long_kept += is_right(long_pieces.find(as_bytes(text + text + text)), i);
        }
        CHECK_EQUAL(kept, kPieces);
        CHECK_EQUAL(long_kept, kPieces);
    }
    {
        // A byte budget is kept.
        PieceTable table(16, 1 << 16);
        for (unsigned i = 0; i < kPieces; ++i) {
            const std::string text = piece_text(i);
            const TokenId id = i;
            table.insert(piece_key(as_bytes(text).data(), text.size()), &id, 1);
        }
        CHECK(table.n_bytes() <= (2u << 16));
        LongPieces long_pieces(16, 0);
        const TokenId id = 1;
        long_pieces.insert(as_bytes("longer than fifteen bytes"), &id, 1);
        CHECK(long_pieces.find(as_bytes("longer than fifteen bytes")).ids == nullptr);
    }
    {
        // Keys of every length, made in both ways, and none taken for another.
        const std::string text = "0123456789abcdefghij";
        for (std::size_t a = 0; a <= 4; ++a) {
            for (std::size_t n = 1; n + a <= 20; ++n) {
                if (n > kMaxInlinePiece) continue;
                const PieceKey key = piece_key(as_bytes(text).data() + a, n);
                if (a + 16 > text.size()) continue;
                const PieceKey wide = piece_key_from_16(as_bytes(text).data() + a, n);
                CHECK(key.low == wide.low && key.high == wide.high);
            }
        }
        // Too long for a key: never found, not even where entries are empty.
        PieceTable table(16, 1 << 20);
        CHECK(table.view().find(piece_key(as_bytes(text).data(), 16)) == nullptr);
        CHECK(table.view().find(piece_key_from_16(as_bytes(text).data(), 20)) == nullptr);
    }
    return check::result();
}
