// The tokens and merges of a tokenizer.json, read from its text without an object for each.
//
// They are nearly all of such a file. As any JSON it takes several times as long, and ten times the memory. So they are
// taken out of the text, and what is left, with an empty object and an empty list in their places, goes to a JSON
// parser. Only the usual is read here: no token twice, no id that is none, no lone surrogate. Of anything else nothing
// is read, and the caller leaves the whole file to the parser, which is the definition and knows what is wrong and
// where.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "base.hpp"
#include "vocab/string_model.hpp"

namespace fissile {

struct ModelJson {
    std::string rest;                   // the file without them
    HfTokens tokens;                    // model.vocab
    std::vector<HfMerge> merges;        // model.merges
    std::deque<std::string> unescaped;  // strings that the file does not hold as they are; the others it does
};

// nullptr: the file is not as it usually is. It must stay where it is as long as the result.
std::unique_ptr<const ModelJson> read_model_json(Bytes file);

}  // namespace fissile
