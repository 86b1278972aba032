#include "text/char_offsets.hpp"

#include "text/utf8.hpp"

namespace fissile {

void char_offsets(Bytes text, std::span<std::int64_t> offsets, InsideChar inside) noexcept {
    std::size_t begin = 0;  // of the first character that is not counted
    std::int64_t n_chars = 0;
    for (std::int64_t& offset : offsets) {
        const auto wanted = static_cast<std::size_t>(offset);
        while (begin < wanted) {
            const std::size_t end = begin + decode_char(text.data() + begin, text.size() - begin).n_bytes;
            if (end > wanted) break;
            begin = end;
            ++n_chars;
        }
        const bool cut = begin < wanted;
        offset = n_chars + (cut && inside == InsideChar::kAfter);
    }
}

}  // namespace fissile
