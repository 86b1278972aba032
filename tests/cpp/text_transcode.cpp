// Transcoding against a plain encoder, with every code point at every place in a group, into buffers of exact size.
#include <cstdint>
#include <vector>

#include "check.hpp"
#include "text/transcode.hpp"
#include "text/utf8.hpp"

namespace {

using fissile::Transcoded;

const fissile::TranscodeKernels* kernels = nullptr;  // those under test

Transcoded transcode(const std::vector<std::uint8_t>& units, std::uint8_t* out) {
    return kernels->latin1(units.data(), units.size(), out);
}
Transcoded transcode(const std::vector<std::uint16_t>& units, std::uint8_t* out) {
    return kernels->ucs2(units.data(), units.size(), out);
}
Transcoded transcode(const std::vector<std::uint32_t>& units, std::uint8_t* out) {
    return kernels->ucs4(units.data(), units.size(), out);
}

// Whether `out` decodes to `units`, which says that it is well-formed too.
template <class Unit>
bool decodes_to(const std::vector<std::uint8_t>& out, const std::vector<Unit>& units) {
    std::size_t position = 0;
    for (const Unit unit : units) {
        if (position >= out.size()) return false;
        const fissile::Char c = fissile::decode_char(out.data() + position, out.size() - position);
        if (c.code_point != unit) return false;
        position += c.n_bytes;
    }
    return position == out.size();
}

template <class Unit>
void check_round_trip(const std::vector<Unit>& units) {
    constexpr std::size_t kMostBytes = sizeof(Unit) == 1 ? 2 : sizeof(Unit) == 2 ? 3 : 4;
    std::vector<std::uint8_t> out(units.size() * kMostBytes + fissile::kTranscodeSlack);
    const Transcoded done = transcode(units, out.data());
    CHECK(done.bad_index == Transcoded::npos);
    out.resize(done.n_written);
    CHECK(decodes_to(out, units));
}

template <class Unit>
void every_length_and_place_of_one_other_unit(Unit other) {
    for (std::size_t n = 0; n <= 80; ++n) {
        check_round_trip(std::vector<Unit>(n, Unit{'a'}));
        check_round_trip(std::vector<Unit>(n, other));
        for (std::size_t place = 0; place < n; ++place) {
            std::vector<Unit> units(n, Unit{'a'});
            units[place] = other;
            check_round_trip(units);
        }
    }
}

template <class Unit>
void every_code_point(std::uint32_t end) {
    std::vector<Unit> units;
    for (std::uint32_t c = 0; c < end; ++c) {
        if (c < 0xd800 || c >= 0xe000) units.push_back(static_cast<Unit>(c));
    }
    check_round_trip(units);
}

template <class Unit>
void lone_surrogates_are_reported_where_they_are() {
    for (const Unit surrogate : {Unit{0xd800}, Unit{0xdbff}, Unit{0xdc00}, Unit{0xdfff}}) {
        for (const std::size_t n : {1, 7, 8, 9, 40, 100}) {
            for (std::size_t place = 0; place < n; ++place) {
                std::vector<Unit> units(n, Unit{0x4e00});
                units[place] = surrogate;
                units[n - 1] = n - 1 == place ? surrogate : Unit{0xd801};  // the first one counts
                std::vector<std::uint8_t> out(n * sizeof(Unit) * 2 + fissile::kTranscodeSlack);
                const Transcoded done = transcode(units, out.data());
                CHECK_EQUAL(done.bad_index, place);
                CHECK_EQUAL(done.n_written, place * 3);
            }
        }
    }
}

template <class Unit>
void runs_of_all_sizes_of_character() {
    constexpr std::uint32_t kSizes[] = {0x80, sizeof(Unit) == 1 ? 0x100 : 0x800, sizeof(Unit) < 4 ? 0xd800 : 0x110000};
    std::uint32_t state = 1;
    const auto random = [&state] { return (state = state * 1664525 + 1013904223) >> 8; };
    for (int round = 0; round < 2000; ++round) {
        std::vector<Unit> units;
        while (units.size() < 200) {
            const std::uint32_t end = kSizes[random() % (sizeof(Unit) == 1 ? 2 : 3)];
            for (std::uint32_t n = random() % 40; n != 0; --n) {
                const std::uint32_t c = random() % end;
                units.push_back(static_cast<Unit>(c >= 0xd800 && c < 0xe000 ? 0 : c));
            }
        }
        check_round_trip(units);
    }
}

void every_kernel_does_it_right() {
    every_length_and_place_of_one_other_unit<std::uint8_t>(0x80);  // the first that is not ASCII
    every_length_and_place_of_one_other_unit<std::uint8_t>(0xe9);
    every_length_and_place_of_one_other_unit<std::uint16_t>(0x80);
    every_length_and_place_of_one_other_unit<std::uint16_t>(0x100);  // ASCII in its low byte
    every_length_and_place_of_one_other_unit<std::uint16_t>(0x4e00);
    every_length_and_place_of_one_other_unit<std::uint16_t>(0x43f);
    every_length_and_place_of_one_other_unit<std::uint32_t>(0x1f600);
    every_code_point<std::uint8_t>(0x100);
    every_code_point<std::uint16_t>(0x10000);
    every_code_point<std::uint32_t>(0x110000);
    lone_surrogates_are_reported_where_they_are<std::uint16_t>();
    lone_surrogates_are_reported_where_they_are<std::uint32_t>();
    runs_of_all_sizes_of_character<std::uint8_t>();
    runs_of_all_sizes_of_character<std::uint16_t>();
    runs_of_all_sizes_of_character<std::uint32_t>();
}

}  // namespace

int main() {
    for (const fissile::Isa isa : fissile::available_isas()) {
        kernels = &fissile::transcode_kernels_for(isa);
        every_kernel_does_it_right();
    }
    return check::result();
}