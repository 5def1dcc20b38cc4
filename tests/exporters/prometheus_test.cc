#include "taskvisor/exporters/prometheus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "tests/exporters/sample_events.h"

namespace taskvisor::exporters {
namespace {

using testing::HasSubstr;

// "name{labels}" -> value, of all samples.
std::map<std::string, double> Samples(const std::string& text) {
  std::map<std::string, double> samples;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    const size_t space = line.rfind(' ');
    samples[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
  return samples;
}

TEST(Prometheus, CountsTheLifeOfATask) {
  Prometheus metrics;
  for (const Event& event : LifeOfATask()) metrics.OnEvent(event);
  auto samples = Samples(metrics.Render());
  EXPECT_EQ(samples["taskvisor_events_total{kind=\"task_starting\"}"], 2);
  EXPECT_EQ(samples["taskvisor_events_total{kind=\"grace_exceeded\"}"], 0);
  EXPECT_EQ(samples["taskvisor_task_outcomes_total{outcome=\"outcome_completed\"}"], 1);
  EXPECT_EQ(samples["taskvisor_attempts_started_total"], 2);
  EXPECT_EQ(samples["taskvisor_attempts_total{result=\"failed\"}"], 1);
  EXPECT_EQ(samples["taskvisor_attempts_total{result=\"success\"}"], 1);
  EXPECT_EQ(samples["taskvisor_attempts_total{result=\"cancelled\"}"], 0);
  EXPECT_NEAR(samples["taskvisor_attempt_seconds_total"], 0.011, 1e-9);
  EXPECT_NEAR(samples["taskvisor_attempt_wait_seconds_total"], 0.003, 1e-9);
  EXPECT_NEAR(samples["taskvisor_attempt_cpu_seconds_total"], 0.0005, 1e-9);
  EXPECT_EQ(samples["taskvisor_attempt_overrun_seconds_total"], 0);
  EXPECT_EQ(samples["taskvisor_retries_total"], 1);
  EXPECT_EQ(samples["taskvisor_missed_events_total"], 0);
}

TEST(Prometheus, CountsCancelledAttemptsTimeoutsAndRefusals) {
  Prometheus metrics;
  metrics.OnEvent(OfTask(EventKind::kTaskStopped, 1, "a").WithCause(CancelCause::kShutdown));
  metrics.OnEvent(OfTask(EventKind::kTimeoutHit, 2, "a"));
  metrics.OnEvent(
      OfTask(EventKind::kTaskAddFailed, 3, "a").WithRejectionKind(RejectionKind::kAlreadyExists));
  metrics.OnEvent(OfTask(EventKind::kActorDead, 4, "a").WithOutcomeKind(OutcomeKind::kStuck));
  auto samples = Samples(metrics.Render());
  EXPECT_EQ(samples["taskvisor_attempts_total{result=\"cancelled\"}"], 1);
  EXPECT_EQ(samples["taskvisor_timeouts_total"], 1);
  EXPECT_EQ(samples["taskvisor_task_outcomes_total{outcome=\"outcome_rejected\"}"], 1);
  EXPECT_EQ(samples["taskvisor_task_outcomes_total{outcome=\"outcome_stuck\"}"], 1);
}

TEST(Prometheus, CountsGapsInTheSequenceAndReportedLosses) {
  Prometheus metrics;
  metrics.OnEvent(Made(EventKind::kTaskAdded, 3));
  metrics.OnEvent(Made(EventKind::kTaskAdded, 10));
  metrics.OnEvent(Made(EventKind::kSubscriberOverflow, 11).WithTask("a \"b\"\\\n").WithCount(40));
  auto samples = Samples(metrics.Render());
  EXPECT_EQ(samples["taskvisor_missed_events_total"], 8);
  EXPECT_EQ(samples["taskvisor_lost_events_total{subscriber=\"a \\\"b\\\"\\\\\\n\"}"], 40);
}

TEST(Prometheus, DescribesEveryMetricOnce) {
  const std::string text = Prometheus().Render();
  EXPECT_THAT(text, HasSubstr("# HELP taskvisor_events_total "));
  EXPECT_THAT(text, HasSubstr("# TYPE taskvisor_events_total counter\n"));
  std::istringstream in(text);
  std::map<std::string, int> types;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("# TYPE ")) ++types[line];
  }
  EXPECT_EQ(types.size(), 12u);
  for (const auto& [line, count] : types) EXPECT_EQ(count, 1) << line;
}

}  // namespace
}  // namespace taskvisor::exporters
