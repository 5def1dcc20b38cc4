#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tools/treesum/progress.h"
#include "tools/treesum/units.h"

namespace taskvisor::treesum {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(ParseDuration, KnowsItsUnits) {
  EXPECT_EQ(ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(ParseDuration("1.5s"), milliseconds(1500));
  EXPECT_EQ(ParseDuration("2"), milliseconds(2000));
  EXPECT_EQ(ParseDuration("2m"), milliseconds(120'000));
  EXPECT_EQ(ParseDuration("1h"), milliseconds(3'600'000));
  EXPECT_EQ(ParseDuration("0"), Duration::zero());
}

TEST(ParseDuration, RefusesTheRest) {
  for (const char* text : {"", "s", "-1s", "-0", "1 s", "1d", "nan", "inf", "1e3", "1e300h", "2s!",
                           "0x10", "9999999999h"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Format, IsForPeople) {
  EXPECT_EQ(FormatClock(7.4), "0:07");
  EXPECT_EQ(FormatClock(754), "12:34");
  EXPECT_EQ(FormatClock(3723), "1:02:03");
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(3.0 * 1024 * 1024 * 1024), "3.0 GiB");
}

TEST(ProgressLine, ShowsShareRateAndTimeLeft) {
  const ProgressState half = {
      .files = 10, .total_files = 20, .bytes = 10 << 20, .total_bytes = 20 << 20, .seconds = 5};
  const std::string line = ProgressLine(half, 100);
  EXPECT_EQ(line, "[############............]  50%  10/20 files  10.0 MiB  2.0 MiB/s  ETA 0:05");
  EXPECT_EQ(ProgressLine(half, 10), "[#########");
}

TEST(ProgressLine, DoesNotGuessFromNothing) {
  EXPECT_THAT(ProgressLine({.files = 0, .total_files = 20, .total_bytes = 1}, 100),
              HasSubstr("  0%  0/20 files  0 B  0 B/s  ETA -:--"));
}

TEST(ProgressLine, NeverExceedsTheWhole) {
  // Files may grow, or turn out to hold more than was found.
  EXPECT_THAT(ProgressLine({.files = 1, .total_files = 1, .bytes = 1 << 20, .seconds = 1}, 100),
              HasSubstr("] 100%"));
  EXPECT_THAT(ProgressLine({}, 100), HasSubstr("] 100%"));
}

}  // namespace
}  // namespace taskvisor::treesum
