// Looking up, the whole of encoding, counting and decoding, and what is done before the first text.
#include <algorithm>

#include "cpu/prefetch.hpp"
#include "encode/decoder.hpp"
#include "encode/encoder.hpp"
#include "merge/front_kernels.hpp"
#include "stage.hpp"
#include "vocab/rank_file.hpp"

namespace micro {

namespace {

// As the encoder seeds its own: every token that encodes to itself.
std::shared_ptr<const PieceTable> seeded_table(const Vocabulary& v) {
    const auto table = std::make_shared<PieceTable>(v.n_vocab(), std::size_t{96} << 20);
    for (TokenId id = 0; id < v.n_vocab(); ++id) {
        const Bytes token = v.token_bytes(id);
        if (token.empty() || token.size() > kMaxInlinePiece || !v.is_reachable(id)) continue;
        table->insert(piece_key(token.data(), token.size()), &id, 1);
    }
    return table;
}

std::uint64_t probe_all(const PieceTable& table, const std::vector<PieceKey>& keys) {
    const PieceTable::View view = table.view();
    std::uint64_t n_found = 0;
    for (std::size_t first = 0; first + 256 <= keys.size(); first += 256) {
        const PieceTable::Entry* buckets[256];
        for (std::size_t i = 0; i < 256; ++i) {
            buckets[i] = view.bucket(PieceTable::View::hash(keys[first + i]));
            prefetch(buckets[i]);
        }
        for (std::size_t i = 0; i < 256; ++i) {
            const PieceTable::Entry* entry = PieceTable::View::find_in_bucket(buckets[i], keys[first + i]);
            if (entry == nullptr) entry = view.find_beyond(buckets[i], keys[first + i]);
            n_found += entry != nullptr;
        }
    }
    sink = n_found;
    return keys.size();
}

// Looks every pretoken up in a front table, and puts those there that it does not hold.
std::uint64_t front_all(const Workload& w, FrontTable& front) {
    constexpr std::size_t kSpans = SpanEncoder::kSpans, kRoom = kSpans + FrontKernels::kSpare;
    const FrontKernels& kernels = front_kernels_for(chosen_isa());
    static const FoundPiece* pieces[kSpans];
    static std::uint32_t index[kRoom];
    static std::uint64_t low[kRoom], high[kRoom];
    std::uint64_t n_missed = 0;
    std::uint32_t begin = 0;
    for (std::size_t i = 0; i < w.ends.size(); i += kSpans) {
        const std::size_t n = std::min(kSpans, w.ends.size() - i);
        const std::size_t missed =
            kernels.look_up(front, {w.bytes(), begin, w.ends.data() + i, n}, pieces, {index, low, high});
        for (std::size_t k = 0; k < missed; ++k) {
            const std::uint64_t ids[2] = {1, 0};
            if (high[k] != kTooLong.high) front.put(FoundPiece::of_words({low[k], high[k]}, ids, 1));
        }
        n_missed += missed;
        begin = w.ends[i + n - 1];
    }
    sink = n_missed;
    return w.ends.size();
}

struct Encoding {
    explicit Encoding(const Workload& w) : encoder(w.vocabulary, options_of(w), {}), plan(encoder.plan({})) {}
    static EncoderOptions options_of(const Workload& w) {
        EncoderOptions options;
        options.pattern = w.pattern;
        return options;
    }
    Encoder encoder;
    SpecialPlan plan;
    Encoder::Workspace workspace;
    IdArray ids;
};

}  // namespace

std::vector<Stage> encode_stages(const Workload& w) {
    std::vector<Stage> stages;
    const auto table = seeded_table(*w.vocabulary);
    stages.push_back({"key", "pretoken", "two loads", {}, [&w] {
                          std::uint64_t folded = 0;
                          std::uint32_t begin = 0;
                          for (const std::uint32_t end : w.ends) {
                              const PieceKey key = piece_key_from_16(w.bytes().data() + begin, end - begin);
                              folded ^= key.low ^ key.high;
                              begin = end;
                          }
                          sink = folded;
                          return w.ends.size();
                      }});
    stages.push_back(
        {"probe piece table", "pretoken", "bare table probe", {}, [&w, table] { return probe_all(*table, w.keys); }});
    const auto front = std::make_shared<FrontTable>();
    stages.push_back(
        {"probe front table", "pretoken", "bare table probe", {}, [&w, front] { return front_all(w, *front); }});

    const auto first = std::make_shared<std::unique_ptr<Encoding>>();
    stages.push_back({"encode, first pass", "byte", "letters", [&w, first] { *first = std::make_unique<Encoding>(w); },
                      [&w, first] {
                          Encoding& e = **first;
                          e.encoder.encode(w.bytes(), e.plan, e.workspace, e.ids);
                          sink = e.ids.size();
                          return w.bytes().size();
                      }});
    const auto again = std::make_shared<Encoding>(w);
    // Where most pieces are new, one is remembered when it comes for the second time.
    for (int pass = 0; pass < 3; ++pass) again->encoder.encode(w.bytes(), again->plan, again->workspace, again->ids);
    stages.push_back({"encode, again", "byte", "letters", [again] { again->ids.clear(); },
                      [&w, again] {
                          again->encoder.encode(w.bytes(), again->plan, again->workspace, again->ids);
                          sink = again->ids.size();
                          return w.bytes().size();
                      }});
    stages.push_back({"count ids, again", "byte", "letters", {}, [&w, again] {
                          IdCounter counter;
                          again->encoder.encode(w.bytes(), again->plan, again->workspace, counter);
                          sink = counter.size();
                          return w.bytes().size();
                      }});
    const auto decoder = std::make_shared<const Decoder>(w.vocabulary);
    const auto decoded = std::make_shared<RawVector<std::uint8_t>>();
    stages.push_back({"decode", "byte", "memcpy", [decoded] { decoded->clear(); },
                      [&w, decoder, decoded] {
                          decoder->decode(w.ids.data(), w.ids.size(), false, *decoded);
                          sink = decoded->size();
                          return w.bytes().size();
                      }});
    const auto ranks = std::make_shared<RankTokens>();
    for (TokenId id = 0; id < w.vocabulary->n_vocab(); ++id) {
        if (w.vocabulary->has_token(id)) ranks->add(w.vocabulary->token_bytes(id), id);
    }
    stages.push_back({"vocabulary of ranks", "token", "", {}, [ranks] {
                          sink = vocabulary_from_ranks(*ranks, {}, "again")->n_vocab();
                          return ranks->size();
                      }});
    stages.push_back({"encoder of a vocabulary", "token", "", {}, [&w] {
                          const Encoder encoder(w.vocabulary, Encoding::options_of(w), {});
                          sink = encoder.cache_bytes();
                          return w.vocabulary->n_vocab();
                      }});
    return stages;
}

}  // namespace micro
