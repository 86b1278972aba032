// Any bytes as text, under every pattern: ids that decode to these bytes, as many as are counted, and the same when the
// text is no longer new. The first byte chooses the pattern.
#include <algorithm>
#include <array>
#include <memory>

#include "encode/decoder.hpp"
#include "encode/encoder.hpp"
#include "fuzz.hpp"
#include "vocab/rank_file.hpp"

using namespace fissile;

namespace {

constexpr std::array kPatterns{Pattern::kNone,   Pattern::kGpt2,   Pattern::kStarcoder,  Pattern::kCl100k,
                               Pattern::kLlama3, Pattern::kQwen2,  Pattern::kQwen35,     Pattern::kO200k,
                               Pattern::kTekken, Pattern::kKimiK2, Pattern::kDeepseekV3, Pattern::kSuperbpe};

std::shared_ptr<const Vocabulary> small_vocabulary() {
    RankTokens tokens;
    TokenId rank = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const auto b = static_cast<std::uint8_t>(byte);
        tokens.add({&b, 1}, rank++);
    }
    for (const char* token :
         {"th", "the", " the", " a", "aa", "aaaa", "  ", "    ", "\n\n", "日", "本", "日本", "'s", "12", "é"}) {
        tokens.add(as_bytes(token), rank++);
    }
    return vocabulary_from_ranks(tokens, {}, "small");
}

struct Codec {
    std::unique_ptr<Encoder> encoder;
    SpecialPlan plan;
};

const Codec& codec_of(Pattern pattern) {
    static std::array<Codec, kPatterns.size()> codecs;
    Codec& codec =
        codecs[static_cast<std::size_t>(std::find(kPatterns.begin(), kPatterns.end(), pattern) - kPatterns.begin())];
    if (!codec.encoder) {
        EncoderOptions options;
        options.pattern = pattern;
        codec.encoder = std::make_unique<Encoder>(small_vocabulary(), options, std::vector<AddedToken>());
        codec.plan = codec.encoder->plan({});
    }
    return codec;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Codec& codec = codec_of(kPatterns[data[0] % kPatterns.size()]);
    const Bytes text{data + 1, size - 1};
    static Encoder::Workspace workspace;

    IdArray ids, again;
    IdCounter counter;
    codec.encoder->encode(text, codec.plan, workspace, ids);
    codec.encoder->encode(text, codec.plan, workspace, again);
    codec.encoder->encode(text, codec.plan, workspace, counter);
    FUZZ_REQUIRE(std::equal(ids.data(), ids.data() + ids.size(), again.data(), again.data() + again.size()));
    FUZZ_REQUIRE(counter.size() == ids.size());

    static const Decoder decoder(small_vocabulary());
    RawVector<std::uint8_t> decoded;
    decoder.decode(ids.data(), ids.size(), false, decoded);
    FUZZ_REQUIRE(as_chars(decoded) == as_chars(text));
    return 0;
}

std::vector<std::string> fuzz_seeds() {
    const std::string texts[] = {
        "The quick brown fox's 12345 jumps; they'LL say \"naïve café\"\r\n\r\n\tthe  end   ",
        "日本語のテキスト、カタカナ。 Übergrößen ΑΒΓ где и кто 한국어 \u0301\u0301 e\u0301 \u3000\u00a0 \u017f's 'ſ",
        std::string(70, 'a') + std::string(70, ' ') + std::string(70, '\n') + std::string(70, '1') +
            std::string(70, '!'),
        "\xff\xfe\xc3\xe6\x97\xf0\x9f\x98 \xed\xa0\x80 \xf4\x90\x80\x80 def f(x):\n    return {x: [1, 2]}  # "
        "https://a.b/c?d",
    };
    std::vector<std::string> seeds;
    for (std::size_t pattern = 0; pattern < kPatterns.size(); ++pattern) {
        for (const std::string& text : texts) seeds.push_back(std::string(1, static_cast<char>(pattern)) + text);
    }
    return seeds;
}
