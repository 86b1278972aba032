// Any bytes as a rank file: a vocabulary that gives each of its tokens back, or a FileError that names the file.
#include <string_view>

#include "fuzz.hpp"
#include "vocab/rank_file.hpp"

using namespace fissile;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto vocabulary = vocabulary_from_rank_file({data, size}, {{"<|end|>", 300}}, "input");
        for (TokenId id = 0; id < vocabulary->n_vocab(); ++id) {
            if (vocabulary->is_model(id)) FUZZ_REQUIRE(vocabulary->find(vocabulary->token_bytes(id)) == id);
        }
    } catch (const FileError& error) {
        FUZZ_REQUIRE(std::string_view(error.what()).starts_with("input"));
    }
    return 0;
}

std::vector<std::string> fuzz_seeds() {
    // All single bytes, then "ab" and "abc"; base64 of a byte is two digits and "==".
    const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    for (unsigned byte = 0; byte < 256; ++byte) {
        bytes += digits[byte >> 2];
        bytes += digits[(byte & 3) << 4];
        bytes += "== " + std::to_string(byte) + "\n";
    }
    return {bytes, bytes + "YWI= 256\nYWJj 257\n", "YQ== 0\r\nYg== 1\r\n", "YQ== 4294967296\n", ""};
}
