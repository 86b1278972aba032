// Files of every kind: ordinary, empty, missing, directories and, on POSIX, pipes and files that hide their size.
#include "text/mapped_file.hpp"

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <utility>

#include "check.hpp"

#if !defined(_WIN32)
#include <sys/stat.h>

#include <thread>
#endif

namespace {

namespace fs = std::filesystem;
using fissile::MappedFile;
using fissile::SystemError;

void write(const fs::path& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

std::string contents(const MappedFile& file) { return std::string(fissile::as_chars(file.bytes())); }

void check_files(const fs::path& folder) {
    const std::string text = "one\r\ntwo\0three\x1a\xff" + std::string(100'000, 'x');
    const fs::path path = folder / u8"名前 é.txt";
    write(path, text);
    const std::u8string name = path.u8string();
    MappedFile file(std::string(name.begin(), name.end()));
    CHECK(contents(file) == text);
    const MappedFile moved(std::move(file));
    CHECK(contents(moved) == text);

    write(folder / "empty", "");
    CHECK(MappedFile((folder / "empty").string()).bytes().empty());

    const std::string missing = (folder / "missing").string();
    CHECK_THROWS(MappedFile{missing}, SystemError, missing);
    CHECK_THROWS(MappedFile{folder.string()}, SystemError, folder.string());
}

#if !defined(_WIN32)
void check_what_cannot_be_mapped(const fs::path& folder) {
    const std::string pipe = (folder / "pipe").string();
    CHECK_EQUAL(mkfifo(pipe.c_str(), 0600), 0);
    const std::string text(3'000'000, 'p');  // longer than a pipe holds, and than one step of reading
    std::thread writer([&] { write(pipe, text); });
    const MappedFile file(pipe);
    writer.join();
    CHECK(contents(file) == text);

    const std::string sizeless = "/proc/self/stat";
    if (fs::exists(sizeless)) CHECK(!MappedFile(sizeless).bytes().empty());
}
#endif

}  // namespace

int main() {
    const fs::path folder =
        fs::temp_directory_path() / ("fissile_mapped_file_" + std::to_string(std::random_device{}()));
    fs::create_directory(folder);
    check_files(folder);
#if !defined(_WIN32)
    check_what_cannot_be_mapped(folder);
#endif
    fs::remove_all(folder);
    return check::result();
}
