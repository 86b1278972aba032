// Offsets in characters, at every byte of texts with characters of all lengths and with bad bytes.
#include <cstdint>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "text/char_offsets.hpp"

namespace {

using fissile::InsideChar;
using Offsets = std::vector<std::int64_t>;

// Character offset of every byte offset from 0 to the end.
Offsets of_every_byte(std::string_view text, InsideChar inside) {
    Offsets offsets(text.size() + 1);
    for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] = static_cast<std::int64_t>(i);
    fissile::char_offsets(fissile::as_bytes(text), offsets, inside);
    return offsets;
}

}  // namespace

int main() {
    const std::string_view every_length = "a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80z";  // a é 日 😀 z
    CHECK((of_every_byte(every_length, InsideChar::kBefore) == Offsets{0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 5}));
    CHECK((of_every_byte(every_length, InsideChar::kAfter) == Offsets{0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5}));

    const std::string_view bad = "\x80\xe6\x97\xff\xc3\xa9\xe6\x97";  // stray, cut, never a byte, é, cut by the end
    CHECK((of_every_byte(bad, InsideChar::kBefore) == Offsets{0, 1, 2, 3, 4, 4, 5, 6, 7}));
    CHECK((of_every_byte(bad, InsideChar::kAfter) == Offsets{0, 1, 2, 3, 4, 5, 5, 6, 7}));

    // Offsets may repeat and may skip: empty tokens, long tokens.
    Offsets some{0, 0, 4, 4, 11, 11};
    fissile::char_offsets(fissile::as_bytes(every_length), some, InsideChar::kAfter);
    CHECK((some == Offsets{0, 0, 3, 3, 5, 5}));

    CHECK((of_every_byte("", InsideChar::kBefore) == Offsets{0}));
    return check::result();
}
