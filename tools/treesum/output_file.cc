#include "tools/treesum/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "tools/treesum/manifest.h"

namespace taskvisor::treesum {

OutputFile::~OutputFile() {
  if (file_ != nullptr && !borrowed_) std::fclose(file_);
}

void OutputFile::Create(const std::string& path) {
  name_ = Quoted(path);
  file_ = std::fopen(path.c_str(), "we");
  if (file_ == nullptr) Failed();
}

void OutputFile::Use(std::FILE* stream, std::string name) {
  file_ = stream;
  name_ = std::move(name);
  borrowed_ = true;
}

void OutputFile::Write(std::string_view text) {
  if (file_ == nullptr || failed_) return;
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) Failed();
}

void OutputFile::Close(int error) {
  if (file_ == nullptr) return;
  std::FILE* const file = std::exchange(file_, nullptr);
  // A failed write leaves its mark on the stream, whoever wrote, but not its reason: EIO
  // stands for one that nobody knows and that the last flush does not meet again.
  const bool marked = std::ferror(file) != 0;
  errno = EIO;
  const int closed = borrowed_ ? std::fflush(file) : std::fclose(file);
  if (error != 0) errno = error;
  if ((marked || closed != 0) && !failed_) Failed();
}

void OutputFile::AddKey(std::set<FileKey>& keys) const {
  struct stat status;
  if (file_ == nullptr || fstat(fileno(file_), &status) != 0) return;
  if (S_ISREG(status.st_mode)) keys.insert(FileKey::Of(status));
}

void OutputFile::Failed() {
  failed_ = true;
  std::fprintf(stderr, "treesum: cannot write %s: %s\n", name_.c_str(), std::strerror(errno));
}

void ReserveStandardStreams() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    // Opened the wrong way round: open takes the lowest free number, which is this one.
    if (open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY) != descriptor) return;
  }
}

}  // namespace taskvisor::treesum
