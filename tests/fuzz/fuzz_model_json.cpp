// Any bytes as a tokenizer.json: nothing read, or strings that are UTF-8, found by themselves, with ids.
#include "fuzz.hpp"
#include "text/utf8.hpp"
#include "vocab/model_json.hpp"

using namespace fissile;

namespace {

bool is_utf8(std::string_view text) {
    const Bytes bytes = as_bytes(text);
    for (std::size_t i = 0; i < bytes.size();) {
        const Char c = decode_char(bytes.data() + i, bytes.size() - i);
        if (c.code_point == kInvalid) return false;
        i += c.n_bytes;
    }
    return true;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> file(data, data + size);  // reads beyond it are seen
    const auto found = read_model_json(file);
    if (found == nullptr) return 0;
    for (const HfToken& token : found->tokens.all()) {
        FUZZ_REQUIRE(is_utf8(token.text) && token.id <= kMaxTokenId);
        FUZZ_REQUIRE(found->tokens.find(token.text) == token.id);
    }
    for (const HfMerge& merge : found->merges) FUZZ_REQUIRE(is_utf8(merge.left) && is_utf8(merge.right));
    FUZZ_REQUIRE(found->rest.find("{}") != std::string::npos && found->rest.find("[]") != std::string::npos);
    return 0;
}

std::vector<std::string> fuzz_seeds() {
    const std::string plain =
        R"({"version": "1.0", "model": {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}})";
    const std::string escaped =
        R"( {"model" :{"merges":["\u0120 \ud83d\ude00", "\" \\"], "vocab":{"\u0120":0, "\\":1, "\"":10}, "x":[{"}":"]"}]}} )";
    return {plain, escaped, plain + "\n", R"({"model": {}})", ""};
}
