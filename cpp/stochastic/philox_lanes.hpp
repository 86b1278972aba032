// The rounds of philox.hpp for several blocks, one in each 64-bit lane of a vector.
//
// A counter word lies in the lower half of its lane; what the upper half holds is never looked at, as the product of
// two lanes is that of their lower halves.
//
// Compiled once for each ISA, inside its isa_*.cpp, which provides `Ops`: Lanes and kLanes, the order of blocks in the
// lanes, and what is done to lanes. No include guard.

inline void philox_lanes(const PhiloxBlock& counter, std::uint32_t key0, std::uint32_t key1, std::uint32_t* words,
                         std::size_t n_blocks) noexcept {
    static_assert(kPhiloxLanes % Ops::kLanes == 0);
    for (std::size_t i = 0; i < n_blocks; i += Ops::kLanes) {
        Ops::Lanes c0 = Ops::count_from(counter[0] + static_cast<std::uint32_t>(i));
        Ops::Lanes c1 = Ops::all(counter[1]), c2 = Ops::all(counter[2]), c3 = Ops::all(counter[3]);
        std::uint32_t k0 = key0, k1 = key1;
        for (int round = 0; round < 10; ++round) {
            const Ops::Lanes product0 = Ops::multiply(Ops::all(0xd2511f53u), c0);
            const Ops::Lanes product1 = Ops::multiply(Ops::all(0xcd9e8d57u), c2);
            c0 = Ops::xor_three(Ops::upper(product1), c1, Ops::all(k0));
            c2 = Ops::xor_three(Ops::upper(product0), c3, Ops::all(k1));
            c1 = product1;
            c3 = product0;
            k0 += 0x9e3779b9u;
            k1 += 0xbb67ae85u;
        }
        Ops::store(words + 4 * i, Ops::pairs(c0, c1), Ops::pairs(c2, c3));
    }
}
