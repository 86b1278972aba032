// The three types every folder shares: token ids, views of bytes, and the errors that carry a place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace fissile {

using TokenId = std::uint32_t;
using Bytes = std::span<const std::uint8_t>;

// No token: an id no vocabulary can hold, since ids end at kMaxTokenId.
inline constexpr TokenId kNoToken = 0xffffffffu;
// Largest id a vocabulary may use; the bits above it are free for tags in packed tables.
inline constexpr TokenId kMaxTokenId = (1u << 28) - 1;

// Input that cannot be used; the message names the place, what was found and what was expected.
class Error : public std::runtime_error {
   public:
    using std::runtime_error::runtime_error;
};

// A vocabulary or tokenizer file that cannot become a tokenizer.
class FileError : public Error {
   public:
    using Error::Error;
};

// A file of text that cannot be opened or read.
class SystemError : public Error {
   public:
    // `code` is an errno, or on Windows what GetLastError gave.
    SystemError(std::string path, int code, const std::string& reason)
        : Error(path + ": " + reason), path_(std::move(path)), code_(code), reason_(reason) {}
    const std::string& path() const { return path_; }
    int code() const { return code_; }
    const std::string& reason() const { return reason_; }

   private:
    std::string path_;
    int code_;
    std::string reason_;
};

// A work function was asked to stop (Ctrl-C) and did.
class Cancelled : public Error {
   public:
    Cancelled() : Error("cancelled") {}
};

inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_chars(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace fissile
