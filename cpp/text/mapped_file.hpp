// The bytes of a file, mapped read-only for as long as the object lives; what cannot be mapped (a pipe) is read.
#pragma once

#include <string>
#include <vector>

#include "base.hpp"

namespace fissile {

class MappedFile {
   public:
    // `path` is UTF-8. Throws SystemError naming it if it cannot be opened or read, or is a directory.
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
