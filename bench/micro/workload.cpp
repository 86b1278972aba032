#include "workload.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "cpu/interrupt.hpp"
#include "encode/encoder.hpp"
#include "train/count_text.hpp"
#include "train/merge_corpus.hpp"
#include "train/merge_loop.hpp"
#include "vocab/rank_file.hpp"

namespace micro {

namespace {

// splitmix64 (Steele, Lea and Flood 2014): what std distributions give differs between standard libraries.
class Random {
   public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    std::size_t below(std::size_t n) { return next() % n; }
    bool one_in(std::size_t n) { return below(n) == 0; }
    // As words are: i is drawn about n / i times as often as the last. Two draws, so that no logarithm is needed,
    // which mathematical libraries round differently.
    std::size_t rank_below(std::size_t n) { return below(1 + below(1 + below(n))); }

   private:
    std::uint64_t state_;
};

std::string character(std::uint32_t code_point) {
    std::string c;
    if (code_point < 0x800) {
        c += static_cast<char>(0xc0 | code_point >> 6);
    } else {
        c += static_cast<char>(0xe0 | code_point >> 12);
        c += static_cast<char>(0x80 | (code_point >> 6 & 0x3f));
    }
    return c += static_cast<char>(0x80 | (code_point & 0x3f));
}

std::string word(Random& random) {
    static constexpr const char* kStarts[] = {"b", "c", "d", "f", "g",  "l",  "m",  "n",  "p",  "r",
                                              "s", "t", "v", "w", "st", "tr", "th", "sh", "pr", ""};
    static constexpr const char* kMiddles[] = {"a", "e", "i", "o", "u", "ea", "io", "ou"};
    static constexpr const char* kEnds[] = {"", "", "n", "r", "s", "t", "l", "ng", "st", "ck"};
    std::string made;
    for (std::size_t n = 1 + random.below(4); n > 0; --n) {
        made += kStarts[random.below(std::size(kStarts))];
        made += kMiddles[random.below(std::size(kMiddles))];
        if (n == 1) made += kEnds[random.below(std::size(kEnds))];
    }
    return made;
}

std::string wide_word(Random& random) {
    std::string made;
    if (random.one_in(2)) {  // Cyrillic
        for (std::size_t n = 2 + random.below(7); n > 0; --n) {
            made += character(0x430 + static_cast<std::uint32_t>(random.rank_below(32)));
        }
    } else {  // Chinese
        for (std::size_t n = 1 + random.below(3); n > 0; --n) {
            made += character(0x4e00 + static_cast<std::uint32_t>(random.rank_below(3000)));
        }
    }
    return made;
}

}  // namespace

std::string made_up_text(std::size_t n_bytes) {
    Random random(1);
    std::vector<std::string> words, wide;
    for (int i = 0; i < 30000; ++i) words.push_back(word(random));
    for (int i = 0; i < 6000; ++i) wide.push_back(wide_word(random));
    std::string text;
    bool code = false;
    while (text.size() < n_bytes) {
        if (random.one_in(20)) code = !code;
        if (code) {
            text.append(4 * random.below(4), ' ');
            text += words[random.rank_below(words.size())] + "_" + words[random.rank_below(words.size())] + "(";
            text += words[random.rank_below(words.size())] + ", " + std::to_string(random.below(1000)) + ");\n";
            continue;
        }
        for (std::size_t n = 4 + random.below(16); n > 0; --n) {
            std::string next =
                random.one_in(12) ? wide[random.rank_below(wide.size())] : words[random.rank_below(words.size())];
            if (random.one_in(12) && next[0] >= 'a' && next[0] <= 'z') next[0] = static_cast<char>(next[0] - 32);
            text += next;
            if (random.one_in(40)) text += "'s";
            if (random.one_in(30)) text.append(" ").append(std::to_string(random.below(100000)));
            text += n == 1 ? "." : random.one_in(10) ? ", " : " ";
        }
        text += random.one_in(4) ? "\n\n" : " ";
    }
    text.resize(n_bytes);
    return text;
}

PretokenCounts count_pretokens(Bytes text, Pattern pattern) {
    CountOptions options;
    options.pattern = pattern;
    options.sequence = Sequence::kDocument;
    TextCounter counter(options);
    const auto go_on = [] { return true; };
    counter.add_texts({{text.data(), text.size(), TextKind::kUtf8}}, 1, 1, go_on);
    return counter.finish(go_on).counts;
}

std::shared_ptr<const Vocabulary> train_vocabulary(const PretokenCounts& counts, std::size_t n_vocab) {
    Interrupt interrupt([] { return true; });
    TrainProgress progress;
    std::array<TokenId, 256> byte_ids;
    std::iota(byte_ids.begin(), byte_ids.end(), TokenId{0});
    std::vector<std::string> tokens;
    for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
    std::vector<std::uint64_t> n_of(256);
    TrainOptions options;
    options.vocab_size = n_vocab;
    const CountsView view{counts.bytes.data(), counts.ends.data(), counts.counts.data(), counts.size()};
    MergeLoop loop(sequences_of_bytes(view, byte_ids, n_of, interrupt), tokens, options, interrupt, progress);
    loop.run();
    RankTokens ranks;
    for (std::string& token : loop.tokens_from(256)) tokens.push_back(std::move(token));
    for (std::size_t i = 0; i < tokens.size(); ++i) ranks.add(as_bytes(tokens[i]), static_cast<TokenId>(i));
    return vocabulary_from_ranks(ranks, {}, "trained");
}

Workload::Workload(std::string given, Pattern wanted, std::shared_ptr<const Vocabulary> known, std::size_t n_vocab)
    : text(given.begin(), given.end()), pattern(wanted), vocabulary(std::move(known)) {
    text.resize(text.size() + 64);
    counts = count_pretokens(bytes(), pattern);
    if (!vocabulary) vocabulary = train_vocabulary(counts, n_vocab);
    const ScanFunction scan = scanner_for(pattern);
    std::uint32_t found[256];
    for (std::size_t position = 0; position < bytes().size();) {
        const ScanResult result = scan(bytes(), position, found, std::size(found));
        ends.insert(ends.end(), found, found + result.n_spans);
        position = result.position;
    }
    for (std::size_t i = 0; i < ends.size(); ++i) keys.push_back(piece_key(pretoken(i).data(), pretoken(i).size()));
    EncoderOptions options;
    options.pattern = pattern;
    const Encoder encoder(vocabulary, options, {});
    Encoder::Workspace workspace;
    SpanIds spans;
    encoder.encode(bytes(), encoder.plan({}), workspace, spans);
    ids.assign(spans.data(), spans.data() + spans.size());
    ids_ends.assign(spans.ends().begin(), spans.ends().end());
}

}  // namespace micro
