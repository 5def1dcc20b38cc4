#include "tools/exporters/text.h"

#include <gtest/gtest.h>

#include <chrono>

namespace taskvisor::exporters {
namespace {

using std::literals::operator""sv;

TEST(IsUtf8, AcceptsWellFormedText) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("plain\0zero"sv));
  EXPECT_TRUE(IsUtf8("\xC2\x80 \xE0\xA0\x80 \xED\x9F\xBF \xEF\xBF\xBF \xF0\x90\x80\x80"));
  EXPECT_TRUE(IsUtf8("\xF4\x8F\xBF\xBF"));
}

TEST(IsUtf8, RefusesEveryKindOfFault) {
  EXPECT_FALSE(IsUtf8("\xFF"));
  EXPECT_FALSE(IsUtf8("\x80")) << "a continuation that continues nothing";
  EXPECT_FALSE(IsUtf8("\xC3")) << "cut short";
  EXPECT_FALSE(IsUtf8("\xE2\x82")) << "cut short";
  EXPECT_FALSE(IsUtf8("\xE2\x82z"));
  EXPECT_FALSE(IsUtf8("\xC0\x80")) << "overlong";
  EXPECT_FALSE(IsUtf8("\xE0\x9F\xBF")) << "overlong";
  EXPECT_FALSE(IsUtf8("\xF0\x8F\xBF\xBF")) << "overlong";
  EXPECT_FALSE(IsUtf8("\xED\xA0\x80")) << "a surrogate";
  EXPECT_FALSE(IsUtf8("\xF4\x90\x80\x80")) << "above U+10FFFF";
}

TEST(Hex, WritesTwoDigitsAByte) { EXPECT_EQ(Hex("\x00\xFF\n"sv), "00ff0a"); }

TEST(OneLine, EscapesWhatWouldBreakTheLine) {
  EXPECT_EQ(OneLine("a\nb\rc\td\\e\x1B\x7F\xC3\xA9"), "a\\nb\\rc\\td\\\\e\\x1b\\x7f\xC3\xA9");
}

TEST(Rfc3339, ShowsNanosecondsInUtc) {
  EXPECT_EQ(Rfc3339(WallTime(std::chrono::nanoseconds(1'000'000'000'000'000'007))),
            "2001-09-09T01:46:40.000000007Z");
  EXPECT_EQ(Rfc3339(WallTime(std::chrono::nanoseconds(-1))), "1969-12-31T23:59:59.999999999Z");
}

}  // namespace
}  // namespace taskvisor::exporters
