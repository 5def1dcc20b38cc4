#include "tools/treesum/hasher.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "taskvisor/task_context.h"
#include "tests/treesum/temp_tree.h"
#include "tools/treesum/read_error.h"

namespace taskvisor::treesum {
namespace {

constexpr char kEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
// FIPS 180-2: a million times "a"; here it takes several chunks.
constexpr char kMillion[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

class HashFileTest : public testing::Test {
 protected:
  TaskResult Hash(const std::string& path, bool operand = false) {
    return HashFile(detached.context(), {path, 0, operand}, hash, bytes);
  }

  TempTree tree;
  DetachedContext detached;
  FileHash hash;
  std::atomic<uint64_t> bytes{0};
};

TEST_F(HashFileTest, KnowsThePublishedDigests) {
  EXPECT_TRUE(Hash(tree.Write("empty", "")).ok());
  EXPECT_EQ(ToHex(hash.digest), kEmpty);
  EXPECT_TRUE(Hash(tree.Write("abc", "abc")).ok());
  EXPECT_EQ(ToHex(hash.digest), kAbc);
  EXPECT_TRUE(Hash(tree.Write("million", std::string(1'000'000, 'a'))).ok());
  EXPECT_EQ(ToHex(hash.digest), kMillion);
  EXPECT_EQ(hash.bytes, 1'000'000u);
  EXPECT_EQ(bytes, 1'000'003u);
}

TEST_F(HashFileTest, IsFatalForWhatWillNotPass) {
  const TaskResult result = Hash(tree.Path("missing"));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, TaskErrorKind::kFatal);
  EXPECT_EQ(result.error().exit_code, ENOENT);
  EXPECT_EQ(result.error().reason, "No such file or directory");
}

TEST_F(HashFileTest, RefusesWhatIsNoRegularFileAnyMore) {
  ASSERT_EQ(mkfifo(tree.Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(Hash(tree.Path("fifo")).error().kind, TaskErrorKind::kFatal);
  EXPECT_EQ(Hash(tree.root()).error().kind, TaskErrorKind::kFatal);
}

TEST_F(HashFileTest, FollowsASymlinkOnlyIfItWasNamed) {
  std::filesystem::create_symlink(tree.Write("abc", "abc"), tree.Path("link"));
  EXPECT_EQ(Hash(tree.Path("link")).error().exit_code, ELOOP);
  EXPECT_TRUE(Hash(tree.Path("link"), /*operand=*/true).ok());
}

TEST_F(HashFileTest, StopsWhenCancelledAndTakesItsBytesBack) {
  detached.Cancel(CancelCause::kShutdown);
  EXPECT_EQ(Hash(tree.Write("abc", "abc")).error().kind, TaskErrorKind::kCancelled);
  EXPECT_EQ(bytes, 0u);
}

TEST_F(HashFileTest, CallsATimeoutATimeout) {
  detached.Cancel(CancelCause::kTimeout);
  const TaskResult result = Hash(tree.Write("abc", "abc"));
  EXPECT_EQ(result.error().kind, TaskErrorKind::kTimeout);
  EXPECT_TRUE(result.error().IsRetryable());
}

// The pause before a chunk asks the context's clock, and this one writes to the file then.
class Meddler final : public Clock {
 public:
  explicit Meddler(std::string path) : path_(std::move(path)) {}

  TimePoint Now() const override {
    if (writes > 0) --writes, std::ofstream(path_, std::ios::app) << "more";
    return RealClock()->Now();
  }
  WallTime WallAt(TimePoint reading) const override { return RealClock()->WallAt(reading); }
  bool RunsByItself() const override { return true; }
  void Watch(const void*, std::function<void()>) override {}
  void Unwatch(const void*) override {}

  mutable std::atomic<int> writes{0};

 private:
  std::string path_;
};

class ChangingFileTest : public HashFileTest, public testing::WithParamInterface<int> {};

TEST_P(ChangingFileTest, IsTriedAgain) {
  const std::string path = tree.Write("changing", "abc");
  auto meddler = std::make_shared<Meddler>(path);
  DetachedContext meddled({.name = "", .attempt = 1, .cancelled = {}, .clock = meddler});
  meddler->writes = GetParam();
  const TaskResult result =
      HashFile(meddled.context(), {path, 3, false}, hash, bytes, std::chrono::milliseconds(1));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().reason, "file changed while it was read");
  EXPECT_TRUE(result.error().IsRetryable());
  EXPECT_EQ(bytes, 0u);
}

// Once, and for ever: the second must not be read to an end it does not have.
INSTANTIATE_TEST_SUITE_P(Writes, ChangingFileTest, testing::Values(1, 1'000'000));

TEST(ReadError, RetriesWhatMayPassAndNothingElse) {
  for (const int error : {EIO, EAGAIN, EMFILE, ENFILE, ESTALE, ENOMEM, EBUSY, ETIMEDOUT}) {
    EXPECT_TRUE(ReadFailure(error).error().IsRetryable()) << Describe(error);
  }
  for (const int error : {EACCES, EPERM, ENOENT, ELOOP, ENOTDIR, ENAMETOOLONG, EISDIR}) {
    EXPECT_EQ(ReadFailure(error).error().kind, TaskErrorKind::kFatal) << Describe(error);
  }
  EXPECT_EQ(ReadFailure(EIO).error().exit_code, EIO);
}

}  // namespace
}  // namespace taskvisor::treesum
