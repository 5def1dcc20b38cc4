#include "tools/treesum/walker.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace taskvisor::treesum {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// O_NOFOLLOW: a directory that was replaced by a symlink since it was found stays unread.
Directory Open(const std::string& path, bool follow) {
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW);
  const int descriptor = open(path.c_str(), flags);
  if (descriptor < 0) return nullptr;
  DIR* const directory = fdopendir(descriptor);
  if (directory == nullptr) {
    const int error = errno;
    close(descriptor);
    errno = error;
  }
  return Directory(directory);
}

std::string Join(const std::string& directory, const char* name) {
  return directory + (directory.back() == '/' ? "" : "/") + name;
}

bool IsSelfOrParent(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

// Only one directory is open at a time, so that no depth runs out of descriptors.
class Walker {
 public:
  explicit Walker(const std::set<FileKey>& own) : own_(own) {}

  void Operand(const std::string& path) {
    struct stat status;
    if (stat(path.c_str(), &status) != 0) return Failed(path);
    if (S_ISREG(status.st_mode)) return Found(path, status, /*operand=*/true);
    if (!S_ISDIR(status.st_mode)) return;
    Read(path, /*follow=*/true);
    while (!pending_.empty()) {
      const std::string next = std::move(pending_.back());
      pending_.pop_back();
      Read(next, /*follow=*/false);
    }
  }

  Tree Take() {
    std::sort(tree_.files.begin(), tree_.files.end(),
              [](const File& a, const File& b) { return a.path < b.path; });
    const auto same = [](const File& a, const File& b) { return a.path == b.path; };
    tree_.files.erase(std::unique(tree_.files.begin(), tree_.files.end(), same), tree_.files.end());
    SortUnique(tree_.unreadable);
    SortUnique(tree_.own);
    for (const File& file : tree_.files) tree_.bytes += file.size;
    return std::move(tree_);
  }

 private:
  template <class T>
  static void SortUnique(std::vector<T>& items) {
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
  }

  void Read(const std::string& path, bool follow) {
    const Directory directory = Open(path, follow);
    if (directory == nullptr) return Failed(path);
    for (;;) {
      errno = 0;
      const dirent* const entry = readdir(directory.get());
      if (entry == nullptr) break;
      if (!IsSelfOrParent(entry->d_name)) Entry(path, dirfd(directory.get()), *entry);
    }
    if (errno != 0) Failed(path);
  }

  void Entry(const std::string& directory, int descriptor, const dirent& entry) {
    // The type spares the look at what is neither; DT_UNKNOWN: the file system has no idea.
    if (entry.d_type != DT_REG && entry.d_type != DT_DIR && entry.d_type != DT_UNKNOWN) return;
    std::string path = Join(directory, entry.d_name);
    if (entry.d_type == DT_DIR) return pending_.push_back(std::move(path));
    struct stat status;
    if (fstatat(descriptor, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return Failed(path);
    if (S_ISREG(status.st_mode)) return Found(std::move(path), status, /*operand=*/false);
    if (S_ISDIR(status.st_mode)) pending_.push_back(std::move(path));
  }

  void Found(std::string path, const struct stat& status, bool operand) {
    if (own_.contains(FileKey::Of(status))) return tree_.own.push_back(std::move(path));
    tree_.files.push_back({std::move(path), static_cast<uint64_t>(status.st_size), operand});
  }

  void Failed(const std::string& path) { tree_.unreadable.push_back({path, errno}); }

  const std::set<FileKey>& own_;
  std::vector<std::string> pending_;  // directories
  Tree tree_;
};

}  // namespace

int CheckOperand(const std::string& operand) {
  struct stat status;
  if (stat(operand.c_str(), &status) != 0) return errno;
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? 0 : EINVAL;
}

Tree Walk(const std::vector<std::string>& operands, const std::set<FileKey>& own) {
  Walker walker(own);
  for (const std::string& operand : operands) walker.Operand(operand);
  return walker.Take();
}

}  // namespace taskvisor::treesum
