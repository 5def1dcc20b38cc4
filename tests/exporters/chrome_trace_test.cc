#include "taskvisor/exporters/chrome_trace.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/exporters/sample_events.h"

namespace taskvisor::exporters {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

json Trace(const std::vector<Event>& events) {
  std::ostringstream out;
  {
    ChromeTrace trace(out);
    for (const Event& event : events) trace.OnEvent(event);
  }
  return json::parse(out.str());
}

std::vector<json> OfPhase(const json& trace, const std::string& phase) {
  std::vector<json> entries;
  for (const json& entry : trace) {
    if (entry["ph"] == phase) entries.push_back(entry);
  }
  return entries;
}

TEST(ChromeTrace, DrawsAttemptsAndWaitsAsSpansOnTheRowOfTheirTask) {
  const json trace = Trace(LifeOfATask());
  const std::vector<json> spans = OfPhase(trace, "X");
  ASSERT_EQ(spans.size(), 3u);
  EXPECT_EQ(spans[0]["name"], "attempt 1");
  EXPECT_EQ(spans[0]["tid"], 3);
  EXPECT_DOUBLE_EQ(spans[0]["ts"], 2000.0);
  EXPECT_DOUBLE_EQ(spans[0]["dur"], 10000.0);
  EXPECT_EQ(spans[0]["args"]["reason"], "not yet");
  EXPECT_EQ(spans[1]["name"], "backoff");
  EXPECT_DOUBLE_EQ(spans[1]["ts"], 12000.0);
  EXPECT_DOUBLE_EQ(spans[1]["dur"], 50000.0);
  EXPECT_EQ(spans[2]["name"], "attempt 2");
}

TEST(ChromeTrace, NamesTheRowAfterItsTask) {
  const std::vector<json> rows = OfPhase(Trace(LifeOfATask()), "M");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["name"], "process_name");
  EXPECT_EQ(rows[1]["name"], "thread_name");
  EXPECT_EQ(rows[1]["tid"], 3);
  EXPECT_EQ(rows[1]["args"]["name"], "flaky");
}

TEST(ChromeTrace, DrawsAnArrowFromATaskToItsChild) {
  const json trace = Trace({OfTask(EventKind::kTaskAdded, 1, "child").WithParent(TaskId(2, 0))});
  const std::vector<json> from = OfPhase(trace, "s");
  const std::vector<json> to = OfPhase(trace, "f");
  ASSERT_EQ(from.size(), 1u);
  ASSERT_EQ(to.size(), 1u);
  EXPECT_EQ(from[0]["tid"], 2);
  EXPECT_EQ(to[0]["tid"], 3);
  EXPECT_EQ(from[0]["id"], to[0]["id"]);
  EXPECT_EQ(OfPhase(trace, "i")[0]["args"]["parent_id"], 2);
  EXPECT_TRUE(OfPhase(Trace(LifeOfATask()), "s").empty());
}

TEST(ChromeTrace, MarksOtherEvents) {
  const json trace = Trace({
      OfTask(EventKind::kTimeoutHit, 1, "slow"),
      Made(EventKind::kShutdownRequested, 2, milliseconds(1)).WithReason("signal"),
  });
  const std::vector<json> marks = OfPhase(trace, "i");
  ASSERT_EQ(marks.size(), 2u);
  EXPECT_EQ(marks[0]["name"], "timeout_hit");
  EXPECT_EQ(marks[0]["s"], "t") << "on the row of its task";
  EXPECT_EQ(marks[1]["s"], "g") << "across all rows";
}

TEST(ChromeTrace, LeavesAnAttemptWithoutEndOpen) {
  const json trace = Trace({OfTask(EventKind::kTaskStarting, 1, "stuck").WithAttempt(4)});
  const std::vector<json> open = OfPhase(trace, "B");
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0]["name"], "attempt 4");
  EXPECT_TRUE(OfPhase(trace, "X").empty());
}

TEST(ChromeTrace, DoesNotDrawAnAttemptWhoseEndWasLost) {
  const json trace = Trace({OfTask(EventKind::kTaskStarting, 1, "a").WithAttempt(1),
                            OfTask(EventKind::kTaskRemoved, 9, "a")});
  EXPECT_TRUE(OfPhase(trace, "B").empty());
}

TEST(ChromeTrace, IsAnArrayEvenIfNothingHappened) { EXPECT_EQ(Trace({}), json::array()); }

TEST(ChromeTrace, TakesAnyBytesForAName) {
  const json trace = Trace({OfTask(EventKind::kTaskAdded, 1, "\xFF\"\n")});
  EXPECT_EQ(OfPhase(trace, "M")[1]["args"]["name_hex"], "ff220a");
}

TEST(ChromeTrace, DropsWhatComesAfterItsEnd) {
  std::ostringstream out;
  ChromeTrace trace(out);
  trace.OnEvent(Made(EventKind::kShutdownRequested, 1));
  trace.Finish();
  const std::string finished = out.str();
  trace.OnEvent(Made(EventKind::kAllStoppedWithinGrace, 2));
  trace.Finish();
  EXPECT_EQ(out.str(), finished);
}

}  // namespace
}  // namespace taskvisor::exporters
