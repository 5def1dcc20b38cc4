#include "taskvisor/exporters/line_logger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <sstream>
#include <string>

#include "tests/exporters/sample_events.h"

namespace taskvisor::exporters {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(LineLogger, WritesOneLinePerEventWithItsTime) {
  std::ostringstream out;
  LineLogger logger(out);
  for (const Event& event : LifeOfATask()) logger.OnEvent(event);
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 9);
  EXPECT_THAT(text, StartsWith("2001-09-09T01:46:40.000000000Z #1 task_add_requested "));
  EXPECT_THAT(text, HasSubstr("task_failed"));
  EXPECT_THAT(text, HasSubstr("not yet"));
}

TEST(LineLogger, SaysWhoseChildATaskIs) {
  std::ostringstream out;
  LineLogger logger(out);
  logger.OnEvent(OfTask(EventKind::kTaskAdded, 1, "child").WithParent(TaskId(2, 0)));
  EXPECT_THAT(out.str(), HasSubstr(" task=child id=3 parent=2"));
}

TEST(LineLogger, KeepsANameWithNewlinesOnItsLine) {
  std::ostringstream out;
  LineLogger logger(out);
  logger.OnEvent(OfTask(EventKind::kTaskAdded, 1, "two\nlines\x1B[2J"));
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_THAT(text, HasSubstr("two\\nlines\\x1b[2J"));
}

TEST(LineLogger, TakesTheKindsItIsAskedFor) {
  std::ostringstream out;
  EXPECT_EQ(LineLogger(out).Interests(), EventMask::All());
  EXPECT_EQ(LineLogger(out, EventMask::Failures()).Interests(), EventMask::Failures());
}

TEST(LineLogger, SaysThatAWriteFailed) {
  std::FILE* const full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  LineLogger logger(full);
  EXPECT_FALSE(logger.failed());
  logger.OnEvent(Made(EventKind::kShutdownRequested, 1));
  EXPECT_TRUE(logger.failed());
  EXPECT_EQ(logger.error(), ENOSPC);
  std::fclose(full);
}

}  // namespace
}  // namespace taskvisor::exporters
