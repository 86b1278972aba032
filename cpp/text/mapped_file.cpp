#include "text/mapped_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace fissile {

namespace {

[[noreturn]] void fail(const std::string& path) { throw FileError(path + ": " + std::strerror(errno)); }

}  // namespace

MappedFile::MappedFile(const std::string& path) {
#if !defined(_WIN32)
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail(path);
    struct stat status {};
    if (fstat(descriptor, &status) != 0 || S_ISDIR(status.st_mode)) {
        if (S_ISDIR(status.st_mode)) errno = EISDIR;
        const int error = errno;
        close(descriptor);
        errno = error;
        fail(path);
    }
    if (S_ISREG(status.st_mode) && status.st_size > 0) {
        const auto size = static_cast<std::size_t>(status.st_size);
        void* const data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (data != MAP_FAILED) {
            madvise(data, size, MADV_SEQUENTIAL);
            close(descriptor);
            bytes_ = {static_cast<const std::uint8_t*>(data), size};
            mapped_ = true;
            return;
        }
    }
    close(descriptor);
#endif
    std::FILE* const file = std::fopen(path.c_str(), "rb");
    if (file == nullptr) fail(path);
    std::size_t n = 0;
    do {
        read_.resize(n + (std::size_t{1} << 20));
        const std::size_t got = std::fread(read_.data() + n, 1, read_.size() - n, file);
        n += got;
        if (got == 0) break;
    } while (true);
    const bool failed = std::ferror(file) != 0;
    const int error = errno;
    std::fclose(file);
    errno = error;
    if (failed) fail(path);
    read_.resize(n);
    bytes_ = read_;
}

MappedFile::~MappedFile() {
#if !defined(_WIN32)
    if (mapped_) munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
#endif
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})),
      mapped_(std::exchange(other.mapped_, false)),
      read_(std::move(other.read_)) {}

}  // namespace fissile
