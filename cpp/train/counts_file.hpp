// Counts on disk: what `fissile count` saves, what a full table spills, what merging reads and writes.
//
//   magic    8 bytes, 93 "FISCNT" 0a
//   head     u32 version (1) | u32 bytes of what follows up to the checksum | u8 sequence (0 line, 1 document)
//            | u64 scale | u64 documents | u64 bytes of text | u32 length of the pattern's name | the name | checksum
//   blocks   u32 bytes of payload | u32 entries | checksum of these and the payload | payload
//            The last block has no entries and no payload.
//   foot     u64 entries | u64 sum of the counts | checksum of these
//
// Numbers are little-endian. An entry is: how many bytes it shares with the one before it in the block, how many more
// it has, these bytes, and its count; numbers as LEB128. Entries ascend by bytes, strictly, from block to block too. A
// checksum is a CRC-32 (that of zlib). A block is about 64 KiB of payload, or one entry, so that reading and writing
// need little memory, and what is read is known to be whole before it is used.
//
// Equal counts of equal corpora are equal files: nothing depends on the order of work, on time or on the machine.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base.hpp"
#include "cpu/interrupt.hpp"
#include "train/count_merge.hpp"
#include "train/count_sequences.hpp"
#include "train/pretoken_counts.hpp"

namespace fissile {

// The system refused to read or write a file.
class IoError : public Error {
   public:
    IoError(const std::string& path, int code);
};

// Longest name of a pattern, or regular expression.
constexpr std::uint32_t kMaxPatternBytes = 1 << 20;

// What is known of counted text besides its pretokens.
struct CountsInfo {
    std::string pattern;
    Sequence sequence = Sequence::kLine;
    std::uint64_t scale = 1;  // counts are occurrences times weight times this
    std::uint64_t n_documents = 0;
    std::uint64_t n_bytes = 0;
};

// The info of two sets of counts together: their scale is the least common multiple. Throws Error, calling them by the
// names given, if pattern or sequence differ.
CountsInfo merged_info(const CountsInfo& a, const std::string& name_a, const CountsInfo& b, const std::string& name_b);

struct CountedText {
    CountsInfo info;
    PretokenCounts counts;
};

class CountsWriter {
   public:
    // Begins a file at `path`, which is UTF-8 or what the system has for it.
    CountsWriter(const std::string& path, const CountsInfo& info);
    // Entries must come in ascending order.
    void append(Bytes pretoken, std::uint64_t count);
    // Writes what is left and closes the file: without it the file is not whole.
    void finish();

   private:
    void write(const void* data, std::size_t n);
    void flush_block();

    std::string path_;
    std::ofstream file_;
    std::vector<std::uint8_t> block_;
    std::uint32_t n_in_block_ = 0;
    std::vector<std::uint8_t> last_;
    std::uint64_t n_entries_ = 0, total_ = 0;
};

// Reads a file block by block, each checked before its first entry is given out. Throws Error naming file, offset, what
// was found and what was expected.
class CountsReader final : public CountSource {
   public:
    explicit CountsReader(const std::string& path);
    const CountsInfo& info() const { return info_; }

    bool next() override;
    // Grows by what is read of the file from now on.
    void tell(std::uint64_t& n_read) { n_read_ = &n_read; }
    // Counts given out are times this.
    void multiply(std::uint64_t factor) { factor_ = factor; }

   private:
    [[noreturn]] void fail(std::uint64_t offset, const std::string& what) const;
    void read(void* out, std::size_t n, const char* what);
    void read_head();
    bool read_block();
    void read_foot();
    std::uint64_t number(const char* what);

    std::string path_;
    std::ifstream file_;
    std::uint64_t size_ = 0, offset_ = 0;
    CountsInfo info_;
    std::uint64_t factor_ = 1;
    std::uint64_t* n_read_ = nullptr;
    std::vector<std::uint8_t> block_;
    std::uint64_t block_offset_ = 0;  // of block_[0] in the file
    std::size_t at_ = 0;
    std::uint32_t n_left_ = 0;  // entries of the block
    std::vector<std::uint8_t> entry_, last_;
    std::uint64_t n_entries_ = 0, total_ = 0;
    bool done_ = false;
};

CountedText load_counts(const std::string& path, Interrupt& interrupt);
void save_counts(const std::string& path, const CountedText& counted, Interrupt& interrupt);
CountedText merge_counted(const CountedText& a, const CountedText& b, Interrupt& interrupt);
// The union of files, read and written block by block. `n_read` grows by the bytes of them that have been read.
CountsInfo merge_counts_files(const std::vector<std::string>& paths, const std::string& out, Interrupt& interrupt,
                              std::uint64_t& n_read);

// Writes the union of sources.
void write_merged(const std::string& path, const CountsInfo& info,
                  const std::vector<std::unique_ptr<CountSource>>& sources, Interrupt& interrupt);

}  // namespace fissile
