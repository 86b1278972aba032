// What differs between systems is in OpenFile; the choice between mapping and reading is made once, below it.
#include "text/mapped_file.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#if defined(_WIN32)
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <filesystem>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace fissile {

namespace {

[[noreturn]] void fail(const std::string& path, int code) {
    throw SystemError(path, code, std::system_category().message(code));
}

#if defined(_WIN32)

// A file open for reading. A directory cannot be opened.
class OpenFile {
   public:
    explicit OpenFile(const std::string& path)
        : path_(path),
          handle_(CreateFileW(std::filesystem::path(std::u8string(path.begin(), path.end())).c_str(), GENERIC_READ,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                              FILE_ATTRIBUTE_NORMAL, nullptr)) {
        if (handle_ == INVALID_HANDLE_VALUE) fail(path, static_cast<int>(GetLastError()));
    }
    ~OpenFile() { CloseHandle(handle_); }
    OpenFile(const OpenFile&) = delete;

    // Size of a file that has one, else 0.
    std::size_t size() const {
        LARGE_INTEGER size{};
        return GetFileType(handle_) == FILE_TYPE_DISK && GetFileSizeEx(handle_, &size)
                   ? static_cast<std::size_t>(size.QuadPart)
                   : 0;
    }
    // Null if it cannot be mapped.
    const void* map(std::size_t) const {
        const HANDLE mapping = CreateFileMappingW(handle_, nullptr, PAGE_READONLY, 0, 0, nullptr);
        if (mapping == nullptr) return nullptr;
        const void* const data = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
        CloseHandle(mapping);  // the view keeps the mapping
        return data;
    }
    static void unmap(Bytes bytes) { UnmapViewOfFile(bytes.data()); }

    // Bytes read, 0 at the end.
    std::size_t read(std::uint8_t* out, std::size_t n) const {
        DWORD n_read = 0;
        if (ReadFile(handle_, out, static_cast<DWORD>(n), &n_read, nullptr)) return n_read;
        const DWORD error = GetLastError();
        if (error == ERROR_BROKEN_PIPE) return 0;  // how a pipe ends
        fail(path_, static_cast<int>(error));
    }

   private:
    const std::string& path_;
    HANDLE handle_;
};

#else

// A file open for reading. A directory can be opened, but neither mapped nor read.
class OpenFile {
   public:
    explicit OpenFile(const std::string& path) : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (descriptor_ < 0) fail(path, errno);
    }
    ~OpenFile() { close(descriptor_); }
    OpenFile(const OpenFile&) = delete;

    // Size of a file that has one, else 0.
    std::size_t size() const {
        struct stat status {};
        if (fstat(descriptor_, &status) != 0) fail(path_, errno);
        return S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) : 0;
    }
    // Null if it cannot be mapped.
    const void* map(std::size_t size) const {
        void* const data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor_, 0);
        if (data == MAP_FAILED) return nullptr;
        madvise(data, size, MADV_SEQUENTIAL);
        return data;
    }
    static void unmap(Bytes bytes) { munmap(const_cast<std::uint8_t*>(bytes.data()), bytes.size()); }

    // Bytes read, 0 at the end.
    std::size_t read(std::uint8_t* out, std::size_t n) const {
        for (;;) {
            const ssize_t n_read = ::read(descriptor_, out, n);
            if (n_read >= 0) return static_cast<std::size_t>(n_read);
            if (errno != EINTR) fail(path_, errno);
        }
    }

   private:
    const std::string& path_;
    int descriptor_;
};

#endif

std::vector<std::uint8_t> read_all(const OpenFile& file) {
    constexpr std::size_t kStep = std::size_t{1} << 20;
    std::vector<std::uint8_t> bytes;
    for (std::size_t n = 0;;) {
        bytes.resize(n + std::max(kStep, n / 2));
        const std::size_t n_read = file.read(bytes.data() + n, std::min(bytes.size() - n, std::size_t{1} << 30));
        n += n_read;
        if (n_read == 0) {
            bytes.resize(n);
            return bytes;
        }
    }
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
    const OpenFile file(path);
    // A size of 0 may be a lie (files of /proc have it), so that such a file is read.
    const std::size_t size = file.size();
    const void* const data = size > 0 ? file.map(size) : nullptr;
    mapped_ = data != nullptr;
    if (mapped_) {
        bytes_ = {static_cast<const std::uint8_t*>(data), size};
    } else {
        read_ = read_all(file);
        bytes_ = read_;
    }
}

MappedFile::~MappedFile() {
    if (mapped_) OpenFile::unmap(bytes_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})),
      mapped_(std::exchange(other.mapped_, false)),
      read_(std::move(other.read_)) {}

}  // namespace fissile
