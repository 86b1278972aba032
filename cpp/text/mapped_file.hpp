// The bytes of a file, mapped read-only; files that cannot be mapped are read.
#pragma once

#include <string>
#include <vector>

#include "base.hpp"

namespace fissile {

class MappedFile {
   public:
    // Throws FileError naming the path if the file cannot be opened or read, or is a directory.
    explicit MappedFile(const std::string& path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&&) = delete;

    Bytes bytes() const { return bytes_; }

   private:
    Bytes bytes_;
    bool mapped_ = false;
    std::vector<std::uint8_t> read_;  // what was read in place of a mapping
};

}  // namespace fissile
