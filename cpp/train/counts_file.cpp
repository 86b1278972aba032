#include "train/counts_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <numeric>
#include <system_error>

#include "train/count_sort.hpp"

namespace fissile {

namespace {

constexpr std::uint8_t kMagic[8] = {0x93, 'F', 'I', 'S', 'C', 'N', 'T', '\n'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kBlockBytes = std::size_t{64} << 10;
constexpr std::size_t kBlockHead = 12;

// CRC-32 of zlib, eight bytes a step ("slicing by 8", Kounavis and Berry 2005).
constexpr std::array<std::array<std::uint32_t, 256>, 8> make_crc_tables() {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? c >> 1 ^ 0xedb88320u : c >> 1;
        tables[0][i] = c;
    }
    for (std::size_t t = 1; t < 8; ++t) {
        for (std::size_t i = 0; i < 256; ++i) tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xff];
    }
    return tables;
}
constexpr auto kCrc = make_crc_tables();

std::uint32_t load_u32(const std::uint8_t* p) {
    return p[0] | std::uint32_t{p[1]} << 8 | std::uint32_t{p[2]} << 16 | std::uint32_t{p[3]} << 24;
}
std::uint64_t load_u64(const std::uint8_t* p) { return load_u32(p) | std::uint64_t{load_u32(p + 4)} << 32; }

std::uint32_t crc32(Bytes data, std::uint32_t before = 0) {
    std::uint32_t c = ~before;
    std::size_t i = 0;
    for (; i + 8 <= data.size(); i += 8) {
        const std::uint32_t a = c ^ load_u32(&data[i]), b = load_u32(&data[i + 4]);
        c = kCrc[7][a & 0xff] ^ kCrc[6][a >> 8 & 0xff] ^ kCrc[5][a >> 16 & 0xff] ^ kCrc[4][a >> 24] ^
            kCrc[3][b & 0xff] ^ kCrc[2][b >> 8 & 0xff] ^ kCrc[1][b >> 16 & 0xff] ^ kCrc[0][b >> 24];
    }
    for (; i < data.size(); ++i) c = c >> 8 ^ kCrc[0][(c ^ data[i]) & 0xff];
    return ~c;
}

template <class T>
void put(std::vector<std::uint8_t>& out, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        out.push_back(static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * i)));
}

void put_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
    out.push_back(static_cast<std::uint8_t>(value));
}

std::string hex(std::uint32_t value) {
    std::string text = "0x";
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[value >> shift & 15];
    return text;
}

std::filesystem::path path_of(const std::string& path) {
    return std::filesystem::path(std::u8string(path.begin(), path.end()));
}

const char* name_of(Sequence sequence) { return sequence == Sequence::kLine ? "line" : "document"; }

std::uint64_t scale_product(std::uint64_t a, std::uint64_t b) {
    if (a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a) throw Error("counts go over 64 bits");
    return a * b;
}

}  // namespace

IoError::IoError(const std::string& path, int code)
    : Error(path + ": " + (code == 0 ? "cannot be read or written" : std::system_category().message(code))) {}

CountsInfo merged_info(const CountsInfo& a, const std::string& name_a, const CountsInfo& b, const std::string& name_b) {
    if (a.pattern != b.pattern) {
        throw Error(name_b + ": counted with the pattern '" + b.pattern + "', expected '" + a.pattern + "' as in " +
                    name_a);
    }
    if (a.sequence != b.sequence) {
        throw Error(name_b + ": counted with sequence='" + name_of(b.sequence) + "', expected '" + name_of(a.sequence) +
                    "' as in " + name_a);
    }
    CountsInfo merged = a;
    merged.scale = scale_product(a.scale / std::gcd(a.scale, b.scale), b.scale);
    merged.n_documents = add_counts(a.n_documents, b.n_documents);
    merged.n_bytes = add_counts(a.n_bytes, b.n_bytes);
    return merged;
}

// --- writing ---------------------------------------------------------------------------------------------------------

CountsWriter::CountsWriter(const std::string& path, const CountsInfo& info)
    : path_(path), file_(path_of(path), std::ios::binary | std::ios::trunc) {
    if (!file_) throw IoError(path_, errno);
    std::vector<std::uint8_t> head(std::begin(kMagic), std::end(kMagic));
    put(head, kVersion);
    put(head, static_cast<std::uint32_t>(1 + 3 * 8 + 4 + info.pattern.size()));
    put(head, static_cast<std::uint8_t>(info.sequence));
    put(head, info.scale);
    put(head, info.n_documents);
    put(head, info.n_bytes);
    put(head, static_cast<std::uint32_t>(info.pattern.size()));
    head.insert(head.end(), info.pattern.begin(), info.pattern.end());
    put(head, crc32(head));
    write(head.data(), head.size());
    block_.assign(kBlockHead, 0);
}

void CountsWriter::write(const void* data, std::size_t n) {
    if (!file_.write(static_cast<const char*>(data), static_cast<std::streamsize>(n))) throw IoError(path_, errno);
}

void CountsWriter::append(Bytes pretoken, std::uint64_t count) {
    if (block_.size() + pretoken.size() > kBlockHead + kBlockBytes) flush_block();
    std::size_t shared = 0;
    if (n_in_block_ != 0) {
        const std::size_t most = std::min(last_.size(), pretoken.size());
        while (shared < most && last_[shared] == pretoken[shared]) ++shared;
    }
    put_varint(block_, shared);
    put_varint(block_, pretoken.size() - shared);
    block_.insert(block_.end(), pretoken.begin() + static_cast<std::ptrdiff_t>(shared), pretoken.end());
    put_varint(block_, count);
    last_.resize(shared);
    last_.insert(last_.end(), pretoken.begin() + static_cast<std::ptrdiff_t>(shared), pretoken.end());
    ++n_in_block_;
    ++n_entries_;
    total_ = add_counts(total_, count);
}

void CountsWriter::flush_block() {
    if (n_in_block_ == 0) return;
    std::vector<std::uint8_t> head;
    put(head, static_cast<std::uint32_t>(block_.size() - kBlockHead));
    put(head, n_in_block_);
    put(head, crc32(Bytes(block_).subspan(kBlockHead), crc32(head)));
    std::copy(head.begin(), head.end(), block_.begin());
    write(block_.data(), block_.size());
    block_.resize(kBlockHead);
    n_in_block_ = 0;
}

void CountsWriter::finish() {
    flush_block();
    std::vector<std::uint8_t> end(8, 0);
    put(end, crc32(end));
    std::vector<std::uint8_t> foot;
    put(foot, n_entries_);
    put(foot, total_);
    put(foot, crc32(foot));
    write(end.data(), end.size());
    write(foot.data(), foot.size());
    file_.close();
    if (!file_) throw IoError(path_, errno);
}

// --- reading ---------------------------------------------------------------------------------------------------------

CountsReader::CountsReader(const std::string& path) : path_(path), file_(path_of(path), std::ios::binary) {
    std::error_code code;
    if (!file_) throw IoError(path_, errno);
    if (std::filesystem::is_directory(path_of(path), code)) throw IoError(path_, EISDIR);
    file_.seekg(0, std::ios::end);
    size_ = static_cast<std::uint64_t>(file_.tellg());
    file_.seekg(0);
    if (!file_) throw IoError(path_, errno);
    read_head();
}

void CountsReader::fail(std::uint64_t offset, const std::string& what) const {
    throw Error(path_ + ": at byte " + std::to_string(offset) + ": " + what);
}

void CountsReader::read(void* out, std::size_t n, const char* what) {
    if (n > size_ - offset_) {
        fail(offset_, "found the end of the file after " + std::to_string(size_ - offset_) + " bytes, expected " +
                          std::to_string(n) + " bytes of " + what);
    }
    if (!file_.read(static_cast<char*>(out), static_cast<std::streamsize>(n))) throw IoError(path_, errno);
    offset_ += n;
    if (n_read_ != nullptr) *n_read_ += n;
}

void CountsReader::read_head() {
    std::vector<std::uint8_t> head(16);
    read(head.data(), 8, "a counts file's beginning");
    if (std::memcmp(head.data(), kMagic, 8) != 0) {
        std::string found;
        for (std::size_t i = 0; i < 8; ++i) {
            if (i != 0) found += ' ';
            found += hex(head[i]).substr(8);
        }
        fail(0, "found " + found + ", expected 93 46 49 53 43 4e 54 0a: this is not a counts file of fissile");
    }
    read(head.data() + 8, 8, "the head");
    const std::uint32_t version = load_u32(&head[8]), n = load_u32(&head[12]);
    if (version != kVersion) {
        fail(8, "found version " + std::to_string(version) + ", expected " + std::to_string(kVersion));
    }
    constexpr std::uint32_t kFixed = 1 + 3 * 8 + 4;
    if (n < kFixed || n > kFixed + kMaxPatternBytes) {
        fail(12, "found a head of " + std::to_string(n) + " bytes, expected from " + std::to_string(kFixed) + " to " +
                     std::to_string(kFixed + kMaxPatternBytes));
    }
    head.resize(16 + n + 4);
    read(head.data() + 16, n + 4, "the head");
    const std::uint32_t found = load_u32(&head[16 + n]), expected = crc32(Bytes(head).first(16 + n));
    if (found != expected) fail(16 + n, "found the checksum " + hex(found) + ", expected " + hex(expected));
    if (head[16] > 1) fail(16, "found the sequence " + std::to_string(head[16]) + ", expected 0 or 1");
    info_.sequence = static_cast<Sequence>(head[16]);
    info_.scale = load_u64(&head[17]);
    info_.n_documents = load_u64(&head[25]);
    info_.n_bytes = load_u64(&head[33]);
    if (info_.scale == 0) fail(17, "found the scale 0, expected at least 1");
    if (load_u32(&head[41]) != n - kFixed) {
        fail(41, "found a pattern of " + std::to_string(load_u32(&head[41])) + " bytes, expected " +
                     std::to_string(n - kFixed));
    }
    info_.pattern.assign(head.begin() + 45, head.begin() + 16 + n);
}

bool CountsReader::read_block() {
    const std::uint64_t offset = offset_;
    std::uint8_t head[kBlockHead];
    read(head, kBlockHead, "a block's head");
    const std::uint32_t n_payload = load_u32(head), n_entries = load_u32(head + 4), found = load_u32(head + 8);
    if (n_payload > size_ - offset_) {
        fail(offset, "found a block of " + std::to_string(n_payload) + " bytes, expected at most the " +
                         std::to_string(size_ - offset_) + " that are left of the file");
    }
    block_.resize(n_payload);
    block_offset_ = offset_;
    read(block_.data(), n_payload, "a block");
    const std::uint32_t expected = crc32(block_, crc32({head, 8}));
    if (found != expected) {
        fail(offset + 8, "found the block's checksum " + hex(found) + ", expected " + hex(expected));
    }
    if ((n_payload == 0) != (n_entries == 0)) {
        fail(offset,
             "found a block of " + std::to_string(n_entries) + " entries in " + std::to_string(n_payload) + " bytes");
    }
    at_ = 0;
    n_left_ = n_entries;
    return n_entries != 0;
}

void CountsReader::read_foot() {
    const std::uint64_t offset = offset_;
    std::uint8_t foot[20];
    read(foot, 20, "the foot");
    const std::uint32_t found = load_u32(foot + 16), expected = crc32({foot, 16});
    if (found != expected) fail(offset + 16, "found the checksum " + hex(found) + ", expected " + hex(expected));
    if (load_u64(foot) != n_entries_) {
        fail(offset, "found " + std::to_string(load_u64(foot)) + " as the number of entries, expected " +
                         std::to_string(n_entries_));
    }
    if (load_u64(foot + 8) != total_) {
        fail(offset + 8, "found " + std::to_string(load_u64(foot + 8)) + " as the sum of the counts, expected " +
                             std::to_string(total_));
    }
    if (offset_ != size_) {
        fail(offset_, "found " + std::to_string(size_ - offset_) + " more bytes, expected the end of the file");
    }
}

std::uint64_t CountsReader::number(const char* what) {
    const std::size_t begin = at_;
    std::uint64_t value = 0;
    for (unsigned shift = 0; at_ < block_.size(); shift += 7) {
        const std::uint8_t byte = block_[at_++];
        if (shift == 63 && byte > 1) break;
        value |= std::uint64_t{byte & 0x7fu} << shift;
        if (byte < 0x80) return value;
    }
    fail(block_offset_ + begin, std::string("found no number that ends in the block, expected ") + what);
}

bool CountsReader::next() {
    if (done_) return false;
    if (n_left_ == 0) {
        if (at_ != block_.size()) fail(block_offset_ + at_, "found more bytes, expected the end of the block");
        const bool any = read_block();
        if (!any) {
            read_foot();
            done_ = true;
            return false;
        }
        last_.swap(entry_);
        entry_.clear();
    } else {
        last_.assign(entry_.begin(), entry_.end());
    }
    const std::uint64_t begin = block_offset_ + at_;
    const std::uint64_t shared = number("the number of shared bytes");
    const std::uint64_t more = number("the number of further bytes");
    if (shared > entry_.size() || more > block_.size() - at_) {
        fail(begin, "found a pretoken of " + std::to_string(shared) + " shared and " + std::to_string(more) +
                        " further bytes, expected at most " + std::to_string(entry_.size()) + " and " +
                        std::to_string(block_.size() - at_));
    }
    entry_.resize(static_cast<std::size_t>(shared));
    entry_.insert(entry_.end(), block_.begin() + static_cast<std::ptrdiff_t>(at_),
                  block_.begin() + static_cast<std::ptrdiff_t>(at_ + more));
    at_ += static_cast<std::size_t>(more);
    if (entry_.empty() || (n_entries_ != 0 && !less_bytes(last_, entry_))) {
        fail(begin, "found a pretoken that does not follow the one before it, expected ascending order");
    }
    const std::uint64_t found = number("a count");
    if (found == 0) fail(begin, "found the count 0, expected at least 1");
    if (found > ~total_) fail(begin, "found a count that takes the sum over 64 bits");
    total_ += found;
    ++n_entries_;
    --n_left_;
    pretoken = entry_;
    count = scale_product(found, factor_);
    set_key();
    return true;
}

// --- whole files -----------------------------------------------------------------------------------------------------

CountedText load_counts(const std::string& path, Interrupt& interrupt) {
    CountsReader reader(path);
    CountedText counted{reader.info(), {}};
    while (reader.next()) {
        interrupt.check();
        counted.counts.append(reader.pretoken, reader.count);
    }
    return counted;
}

void write_merged(const std::string& path, const CountsInfo& info,
                  const std::vector<std::unique_ptr<CountSource>>& sources, Interrupt& interrupt) {
    CountsWriter writer(path, info);
    merge_counts(sources, [&](Bytes pretoken, std::uint64_t count) { writer.append(pretoken, count); }, interrupt);
    writer.finish();
}

void save_counts(const std::string& path, const CountedText& counted, Interrupt& interrupt) {
    std::vector<std::unique_ptr<CountSource>> sources;
    sources.push_back(source_of(counted.counts));
    write_merged(path, counted.info, sources, interrupt);
}

CountedText merge_counted(const CountedText& a, const CountedText& b, Interrupt& interrupt) {
    CountedText merged{merged_info(a.info, "the first counts", b.info, "the second counts"), {}};
    const auto scaled = [&](const CountedText& counted) {
        PretokenCounts counts = counted.counts;
        for (std::uint64_t& count : counts.counts) count = scale_product(count, merged.info.scale / counted.info.scale);
        return counts;
    };
    const PretokenCounts scaled_a = scaled(a), scaled_b = scaled(b);
    std::vector<std::unique_ptr<CountSource>> sources;
    sources.push_back(source_of(scaled_a));
    sources.push_back(source_of(scaled_b));
    std::uint64_t total = 0;
    merge_counts(
        sources,
        [&](Bytes pretoken, std::uint64_t count) {
            total = add_counts(total, count);
            merged.counts.append(pretoken, count);
        },
        interrupt);
    return merged;
}

CountsInfo merge_counts_files(const std::vector<std::string>& paths, const std::string& out, Interrupt& interrupt,
                              std::uint64_t& n_read) {
    std::vector<std::unique_ptr<CountsReader>> readers;
    CountsInfo info;
    for (const std::string& path : paths) {
        readers.push_back(std::make_unique<CountsReader>(path));
        const CountsInfo& other = readers.back()->info();
        info = readers.size() == 1 ? other : merged_info(info, paths[0], other, path);
    }
    std::vector<std::unique_ptr<CountSource>> sources;
    for (auto& reader : readers) {
        reader->multiply(info.scale / reader->info().scale);
        reader->tell(n_read);
        sources.push_back(std::move(reader));
    }
    write_merged(out, info, sources, interrupt);
    return info;
}

}  // namespace fissile
