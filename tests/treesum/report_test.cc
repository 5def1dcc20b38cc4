#include "tools/treesum/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>

namespace taskvisor::treesum {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// One file of each fate.
class ReportTest : public testing::Test {
 protected:
  ReportTest() {
    job.records[0].hash.bytes = 2048;
    run.files = {{OutcomeKind::kCompleted, "", 2},
                 {OutcomeKind::kFatal, "Permission denied", 1},
                 {OutcomeKind::kFailed, "timed out", 4},
                 {OutcomeKind::kCancelled, "", 0},
                 {OutcomeKind::kStuck, "", 1}};
    run.signal = SIGINT;
    summary = Summarize(job, run);
    summary.wall_seconds = 2;
  }

  Job job{{.files = {{"a", 1}, {"b\xFF", 1}, {"c", 1}, {"d", 1}, {"e", 1}},
           .unreadable = {{"dir", EACCES}},
           .own = {"manifest"}},
          Options{}};
  RunResult run;
  Summary summary;
};

TEST_F(ReportTest, AddsUp) {
  EXPECT_EQ(summary.files, 5u);
  EXPECT_EQ(summary.completed, 1u);
  EXPECT_EQ(summary.failed, 2u);
  EXPECT_EQ(summary.left_out, 1u);
  EXPECT_EQ(summary.stuck, 1u);
  EXPECT_EQ(summary.retried_files, 2u);
  EXPECT_EQ(summary.retries, 4u);
  EXPECT_EQ(summary.bytes, 2048u);
  EXPECT_EQ(summary.failed_by_reason["Permission denied"], 1u);
}

TEST_F(ReportTest, TableNamesEveryFate) {
  const std::string table = FormatTable(summary);
  for (const char* text :
       {"files", "completed", "failed", "Permission denied", "timed out", "left out", "stuck",
        "unreadable directories", "2  files retried, 4 retries", "2048  bytes, 2.0 KiB",
        "wall time", "CPU time", "1.0 KiB/s  speed"}) {
    EXPECT_THAT(table, HasSubstr(text));
  }
  EXPECT_THAT(table, Not(HasSubstr("events")));
}

TEST_F(ReportTest, JsonSaysTheSameAndNamesWhatIsMissing) {
  summary.events = EventCounts{.written = 30, .lost = 2};
  summary.chaos.emplace(0.5, 9);
  const std::string text = FormatJson(summary, job, run, 130);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const json object = json::parse(text);
  EXPECT_EQ(object["files"], 5);
  EXPECT_EQ(object["exit_code"], 130);
  EXPECT_EQ(object["signal"], SIGINT);
  EXPECT_EQ(object["failed_by_reason"], json({{"Permission denied", 1}, {"timed out", 1}}));
  EXPECT_EQ(object["events"], json({{"written", 30}, {"lost", 2}}));
  EXPECT_EQ(object["chaos"], json({{"probability", 0.5}, {"seed", 9}}));
  ASSERT_EQ(object["missing"].size(), 4u);
  EXPECT_EQ(object["missing"][0], json({{"path", "b\xEF\xBF\xBD"},
                                        {"path_hex", "62ff"},
                                        {"outcome", "outcome_fatal"},
                                        {"reason", "Permission denied"},
                                        {"attempts", 1}}));
  EXPECT_EQ(object["unreadable_directories"][0]["path"], "dir");
}

TEST_F(ReportTest, JsonHasNullForWhatWasNot) {
  summary.signal = 0;
  const json object = json::parse(FormatJson(summary, job, run, 1));
  EXPECT_TRUE(object["signal"].is_null());
  EXPECT_TRUE(object["events"].is_null());
  EXPECT_TRUE(object["chaos"].is_null());
}

TEST_F(ReportTest, NamesFilesThatAreMissing) {
  EXPECT_EQ(DescribeLosses(job, run),
            "treesum: 'b\\377': Permission denied (1 attempt)\n"
            "treesum: 'c': timed out (4 attempts)\n"
            "treesum: 'd': left out\n"
            "treesum: 'e': stuck, did not stop within grace\n");
  EXPECT_EQ(DescribeWalk(job.tree),
            "treesum: 'dir': Permission denied\n"
            "treesum: 'manifest': left aside, this run writes it\n");
}

}  // namespace
}  // namespace taskvisor::treesum
