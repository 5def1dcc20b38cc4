#include "tools/treesum/walker.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/treesum/temp_tree.h"

namespace taskvisor::treesum {
namespace {

std::vector<std::string> Paths(const Tree& tree) {
  std::vector<std::string> paths;
  for (const File& file : tree.files) paths.push_back(file.path);
  return paths;
}

TEST(Walk, FindsRegularFilesSortedByTheirBytes) {
  TempTree tree;
  for (const char* name : {"b", "B", "a/x", "a.b", "\xFF", "a/deep/er/f"})
    tree.Write(name, "12345");
  std::filesystem::create_symlink("b", tree.Path("link"));
  std::filesystem::create_directory_symlink("a", tree.Path("folder link"));
  ASSERT_EQ(mkfifo(tree.Path("fifo").c_str(), 0600), 0);
  const Tree found = Walk({tree.root()}, {});
  const std::vector<std::string> expected = {tree.Path("B"),           tree.Path("a.b"),
                                             tree.Path("a/deep/er/f"), tree.Path("a/x"),
                                             tree.Path("b"),           tree.Path("\xFF")};
  EXPECT_EQ(Paths(found), expected);
  EXPECT_EQ(found.bytes, 30u);
  EXPECT_TRUE(found.unreadable.empty());
}

TEST(Walk, ListsAPathOnceHoweverOftenItIsReached) {
  TempTree tree;
  tree.Write("a/x", "");
  const Tree found = Walk({tree.root(), tree.Path("a"), tree.Path("a/x"), tree.root()}, {});
  EXPECT_EQ(Paths(found), std::vector<std::string>{tree.Path("a/x")});
}

TEST(Walk, AddsNoSecondSlash) {
  TempTree tree;
  tree.Write("x", "");
  EXPECT_EQ(Paths(Walk({tree.root() + "/"}, {})), std::vector<std::string>{tree.Path("x")});
}

TEST(Walk, FollowsASymlinkThatIsAnOperand) {
  TempTree tree;
  tree.Write("folder/x", "");
  std::filesystem::create_directory_symlink("folder", tree.Path("link"));
  EXPECT_EQ(Paths(Walk({tree.Path("link")}, {})), std::vector<std::string>{tree.Path("link/x")});
}

TEST(Walk, LeavesItsOwnFilesAside) {
  TempTree tree;
  tree.Write("x", "");
  struct stat status;
  ASSERT_EQ(stat(tree.Write("manifest", "").c_str(), &status), 0);
  const Tree found = Walk({tree.root()}, {FileKey::Of(status)});
  EXPECT_EQ(Paths(found), std::vector<std::string>{tree.Path("x")});
  EXPECT_EQ(found.own, std::vector<std::string>{tree.Path("manifest")});
}

TEST(Walk, GoesOnPastWhatItCannotRead) {
  TempTree tree;
  tree.Write("x", "");
  const Tree found = Walk({tree.Path("gone"), tree.root(), tree.Path("gone")}, {});
  EXPECT_EQ(Paths(found), std::vector<std::string>{tree.Path("x")});
  EXPECT_EQ(found.unreadable, (std::vector<Unreadable>{{tree.Path("gone"), ENOENT}}));
}

TEST(CheckOperand, TakesFilesAndDirectoriesOnly) {
  TempTree tree;
  EXPECT_EQ(CheckOperand(tree.root()), 0);
  EXPECT_EQ(CheckOperand(tree.Write("x", "")), 0);
  EXPECT_EQ(CheckOperand(tree.Path("gone")), ENOENT);
  EXPECT_EQ(CheckOperand(""), ENOENT);
  EXPECT_EQ(CheckOperand("/dev/null"), EINVAL);
}

}  // namespace
}  // namespace taskvisor::treesum
