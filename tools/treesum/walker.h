#ifndef TASKVISOR_TOOLS_TREESUM_WALKER_H_
#define TASKVISOR_TOOLS_TREESUM_WALKER_H_

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace taskvisor::treesum {

// A regular file to hash.
struct File {
  std::string path;      // as `find` would print it: the operand, then the way below it
  uint64_t size = 0;     // when it was found
  bool operand = false;  // named by the user, who may name a symlink

  friend bool operator==(const File&, const File&) = default;
};

// The identity of a file, whatever it is called.
struct FileKey {
  uint64_t device = 0;
  uint64_t inode = 0;

  [[nodiscard]] static FileKey Of(const struct stat& status) {
    return {status.st_dev, status.st_ino};
  }
  friend auto operator<=>(const FileKey&, const FileKey&) = default;
};

// A directory (or an entry of one) that could not be read.
struct Unreadable {
  std::string path;
  int error = 0;  // errno

  friend auto operator<=>(const Unreadable&, const Unreadable&) = default;
};

struct Tree {
  std::vector<File> files;             // sorted by the bytes of the path; each path once
  std::vector<Unreadable> unreadable;  // sorted, each once
  std::vector<std::string> own;        // left aside: what this run writes
  uint64_t bytes = 0;                  // of all files
};

// 0 if `operand` is a directory or a regular file, perhaps by way of a symlink; else errno
// (EINVAL: it exists, but is neither).
[[nodiscard]] int CheckOperand(const std::string& operand);

// Finds the regular files below `operands` (or the operands themselves). Follows no symlink
// but an operand. Goes on past what it cannot read, and leaves the files of `own` aside.
[[nodiscard]] Tree Walk(const std::vector<std::string>& operands, const std::set<FileKey>& own);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_WALKER_H_
