#include "tools/treesum/manifest.h"

#include <gtest/gtest.h>

#include <string>

namespace taskvisor::treesum {
namespace {

std::string Zeros() { return std::string(64, '0'); }

TEST(Manifest, WritesTwoSpacesBetweenDigestAndPath) {
  EXPECT_EQ(ManifestLine(Digest{}, "a b/c"), Zeros() + "  a b/c\n");
}

TEST(Manifest, LeavesAllBytesButThreeAlone) {
  EXPECT_EQ(ManifestLine(Digest{}, "\xFF\t'\"*\x1B"), Zeros() + "  \xFF\t'\"*\x1B\n");
}

TEST(Manifest, EscapesBackslashNewlineAndReturnAndMarksTheLine) {
  EXPECT_EQ(ManifestLine(Digest{}, "a\\b"), "\\" + Zeros() + "  a\\\\b\n");
  EXPECT_EQ(ManifestLine(Digest{}, "a\nb"), "\\" + Zeros() + "  a\\nb\n");
  EXPECT_EQ(ManifestLine(Digest{}, "a\rb"), "\\" + Zeros() + "  a\\rb\n");
}

TEST(Quoted, ShowsAPlainNameInQuotes) {
  EXPECT_EQ(Quoted("a b"), "'a b'");
  EXPECT_EQ(Quoted("caf\xC3\xA9"), "'caf\xC3\xA9'");
}

TEST(Quoted, LetsNoNameControlTheTerminal) {
  EXPECT_EQ(Quoted("it's\\"), "'it\\'s\\\\'");
  EXPECT_EQ(Quoted("\x1B[2J\n"), "'\\033[2J\\012'");
  EXPECT_EQ(Quoted("\xFF"), "'\\377'");
  EXPECT_EQ(Quoted("\xC2\x9B"), "'\\302\\233'") << "a control sequence in UTF-8";
}

}  // namespace
}  // namespace taskvisor::treesum
