#ifndef TASKVISOR_TESTS_TREESUM_TEMP_TREE_H_
#define TASKVISOR_TESTS_TREESUM_TEMP_TREE_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace taskvisor::treesum {

// A folder of its own that goes away with the test.
class TempTree {
 public:
  TempTree() {
    std::string name = (std::filesystem::temp_directory_path() / "treesum_test_XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~TempTree() { std::filesystem::remove_all(root_); }
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  // The path of `name` below the root.
  [[nodiscard]] std::string Path(const std::string& name) const { return root_ + "/" + name; }
  [[nodiscard]] const std::string& root() const { return root_; }

  // Makes a file, and the folders above it; returns its path.
  std::string Write(const std::string& name, std::string_view content) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << content;
    return Path(name);
  }

 private:
  std::string root_;
};

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TESTS_TREESUM_TEMP_TREE_H_
