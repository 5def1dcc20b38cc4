// Statements 66 to 68: what an attempt that timed out counts for.
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(ContractLateResult, S066_ASuccessAfterTheDeadlineIsATimeout) {
  Served s;
  const auto clock = s.clock;
  for (const Duration took : {100ms, 101ms}) {  // the deadline itself is too late
    const auto task = s.Watch(TaskSpec::Once([=] { clock->Advance(took); }).WithTimeout(100ms));
    const TaskOutcome outcome = s.Outcome(task);
    EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
    EXPECT_EQ(outcome.reason(), "timed out after 100ms");
    EXPECT_EQ(s.Await(EventKind::kTaskFailed, task).overrun(), took - 100ms);
  }
  const auto in_time =
      s.Watch(TaskSpec::Once([=] { clock->Advance(100ms - 1ns); }).WithTimeout(100ms));
  EXPECT_TRUE(s.Outcome(in_time).IsSuccess());
}

// The timer thread and the returning body meet at the deadline; who is faster must not
// show.
TEST(ContractLateResult, S066_TheResultDoesNotDependOnARaceAtTheDeadline) {
  Served s;
  const auto clock = s.clock;
  for (int round = 0; round < 300; ++round) {
    const auto task = s.Watch(TaskSpec::Once([=] { clock->Advance(100ms); }).WithTimeout(100ms));
    ASSERT_EQ(s.Outcome(task).reason(), "timed out after 100ms") << round;
    const std::vector<EventKind> story = {EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                          EventKind::kTaskStarting,     EventKind::kTimeoutHit,
                                          EventKind::kTaskFailed,       EventKind::kActorExhausted,
                                          EventKind::kTaskRemoved};
    ASSERT_EQ(s.Story(task), story) << round;
  }
}

TEST(ContractLateResult, S066_WhateverALateBodyReturnsIsATimeoutAndIsQuoted) {
  Served s;
  const auto clock = s.clock;
  const auto late = [&](auto result) {
    const auto task = s.Watch(TaskSpec::Once([=]() -> TaskResult {
                                clock->Advance(2s);
                                return result();
                              }).WithTimeout(1500ms));
    const TaskOutcome outcome = s.Outcome(task);
    EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
    EXPECT_EQ(s.Await(EventKind::kTaskFailed, task).reason(), outcome.reason());
    return std::string(outcome.reason());
  };
  EXPECT_EQ(late([] { return Ok(); }), "timed out after 1.5s");
  EXPECT_EQ(late([] { return Cancelled(); }), "timed out after 1.5s");
  EXPECT_EQ(late([] { return Fail("lost"); }), "timed out after 1.5s; then: lost");
  EXPECT_EQ(late([] { return Fatal("worse"); }), "timed out after 1.5s; then: worse");
  EXPECT_EQ(late([]() -> TaskResult { throw std::runtime_error("thrown"); }),
            "timed out after 1.5s; then: task panicked: thrown");
}

TEST(ContractLateResult, S067_ATimeoutIsRetriedAndUsesUpTheBudget) {
  Served s;
  const auto clock = s.clock;
  const auto task = s.Watch(TaskSpec::Restartable([=](TaskContext& context) -> TaskResult {
                              if (context.attempt() == 2) return Fail("plain");
                              clock->Advance(100ms);
                              return Ok();
                            })
                                .WithTimeout(100ms)
                                .WithMaxRetries(2)
                                .WithBackoff(kNoBackoff));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(outcome.attempts(), 3u);
  EXPECT_EQ(outcome.reason(), "max_retries_exceeded(2/2): timed out after 100ms");
  s.Story(task);
  EXPECT_EQ(s.Count(EventKind::kTimeoutHit, task), 2u);
  EXPECT_EQ(s.Count(EventKind::kTaskFailed, task), 3u);
  EXPECT_EQ(s.Await(EventKind::kBackoffScheduled, task).reason(), "timed out after 100ms");
}

TEST(ContractLateResult, S068_ATimeoutErrorFromTheBodyIsAnOrdinaryFailure) {
  Served s;
  const auto task =
      s.Watch(TaskSpec::Restartable(Scripted("ts")).WithTimeout(1h).WithBackoff(kNoBackoff));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(outcome.attempts(), 2u);
  s.Story(task);
  EXPECT_EQ(s.Count(EventKind::kTimeoutHit, task), 0u);
  const Event failed = s.Await(EventKind::kTaskFailed, task);
  EXPECT_EQ(failed.reason(), "no answer");
  EXPECT_FALSE(failed.overrun().has_value());
}

}  // namespace
}  // namespace taskvisor::testing
