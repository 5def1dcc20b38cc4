// TaskSpec::WithRetryIf, WithRetryOn, WithFatalOn: which failures are tried again.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TaskSpec Failing(TaskResult (*body)(TaskContext&)) {
  return TaskSpec::Restartable(body).WithBackoff(kNoBackoff).WithMaxRetries(2);
}

TEST(RetryRule, WhatThePredicateRefusesIsFatalWithItsOwnReason) {
  Served s;
  int asked = 0;
  const auto task = s.Watch(Failing([](TaskContext& context) {
                              return Fail(context.attempt() == 1 ? "busy" : "gone").WithExitCode(7);
                            }).WithRetryIf([&](const TaskError& error) {
    ++asked;
    return error.reason == "busy";
  }));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(outcome.reason(), "gone");
  EXPECT_EQ(outcome.exit_code(), 7);
  EXPECT_EQ(outcome.attempts(), 2u);
  EXPECT_EQ(asked, 2);
}

TEST(RetryRule, ThePolicyAndTheBudgetStillLimitWhatItAllows) {
  Served s;
  const auto yes = [](const TaskError&) { return true; };
  const auto body = [](TaskContext&) { return Fail("always"); };
  EXPECT_EQ(s.Outcome(s.Watch(Failing(body).WithRetryIf(yes))).reason(),
            "max_retries_exceeded(2/2): always");
  EXPECT_EQ(s.Outcome(s.Watch(TaskSpec::Once(body).WithRetryIf(yes))).kind(), OutcomeKind::kFailed);
}

TEST(RetryRule, IsNotAskedAboutWhatIsFatalOrCancelledOrASuccess) {
  Served s;
  std::atomic<int> asked = 0;
  const auto ask = [&](const TaskError&) { return ++asked, true; };
  for (const char letter : {'s', 'x', 'c'}) {
    s.Outcome(s.Watch(TaskSpec::Restartable(Scripted({letter})).WithRetryIf(ask)));
  }
  EXPECT_EQ(asked, 0);
}

// Its answer could only turn what the task ends with into something else.
TEST(RetryRule, IsNotAskedWhereThereIsNoOtherAttempt) {
  Served s;
  const auto no = [](const TaskError&) { return false; };
  EXPECT_EQ(s.Outcome(s.Watch(TaskSpec::Once([] { return Fail("once"); }).WithRetryIf(no))).kind(),
            OutcomeKind::kFailed);
  std::atomic<int> asked = 0;
  const auto first_only = [&](const TaskError&) { return ++asked == 1; };
  const TaskOutcome spent = s.Outcome(s.Watch(TaskSpec::Restartable([] { return Fail("busy"); })
                                                  .WithBackoff(kNoBackoff)
                                                  .WithMaxRetries(1)
                                                  .WithRetryIf(first_only)));
  EXPECT_EQ(spent.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(spent.reason(), "max_retries_exceeded(1/1): busy");
  Gate inside;
  const auto removed = s.Watch(TaskSpec::Restartable([&](TaskContext& context) {
                                 inside.Open();
                                 static_cast<void>(context.WaitCancelled(Duration::max()));
                                 throw std::runtime_error("interrupted");
                               }).WithRetryOn<std::system_error>());
  ASSERT_TRUE(inside.Wait());
  EXPECT_TRUE(*s.handle.Remove(removed.id));
  EXPECT_EQ(s.Outcome(removed).kind(), OutcomeKind::kCancelled);
}

TEST(RetryRule, ATimeoutIsAFailureToAskAbout) {
  Gate inside;
  Served s;
  const auto task = s.Watch(TaskSpec::Restartable([&](TaskContext& context) {
                              inside.Open();
                              static_cast<void>(context.WaitCancelled(Duration::max()));
                            })
                                .WithTimeout(1s)
                                .WithRetryIf([](const TaskError& error) {
                                  return error.kind != TaskErrorKind::kTimeout;
                                }));
  ASSERT_TRUE(inside.Wait());
  s.Advance(1s);
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kFatal);
}

TEST(RetryRule, OneThatThrowsMakesTheFailureFatalAndIsReported) {
  Served s;
  const auto thrower = [](const TaskError&) -> bool { throw std::runtime_error("rule broke"); };
  const auto task = s.Watch(Failing([](TaskContext&) { return Fail("why"); }).WithRetryIf(thrower));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(outcome.reason(), "why");
  EXPECT_EQ(outcome.attempts(), 1u);
  const auto report = s.recorder->Await(Recorder::Is(EventKind::kRuntimeFailure));
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->task(), "retry_if");
  EXPECT_EQ(report->reason(), "rule broke");
  EXPECT_EQ(report->id(), task.id);
  const auto odd = [](const TaskError&) -> bool { throw 7; };
  EXPECT_EQ(
      s.Outcome(s.Watch(Failing([](TaskContext&) { return Fail("why"); }).WithRetryIf(odd))).kind(),
      OutcomeKind::kFatal);
}

TEST(RetryRule, ByTypeOnlyTheseExceptionsAreRetried) {
  Served s;
  const auto on = [&](TaskResult (*body)(TaskContext&)) {
    return s.Outcome(s.Watch(Failing(body).WithRetryOn<std::system_error, std::out_of_range>()));
  };
  EXPECT_EQ(on([](TaskContext&) -> TaskResult {
              throw std::system_error(std::make_error_code(std::errc::io_error));
            }).attempts(),
            3u);
  EXPECT_EQ(on([](TaskContext&) -> TaskResult { throw std::out_of_range("x"); }).attempts(), 3u);
  EXPECT_EQ(on([](TaskContext&) -> TaskResult { throw std::logic_error("x"); }).kind(),
            OutcomeKind::kFatal);
  EXPECT_EQ(on([](TaskContext&) -> TaskResult { throw 7; }).kind(), OutcomeKind::kFatal);
  EXPECT_EQ(on([](TaskContext&) { return Fail("returned"); }).attempts(), 3u);
}

TEST(RetryRule, ByTypeOnlyTheseExceptionsAreFatal) {
  Served s;
  const auto on = [&](TaskResult (*body)(TaskContext&)) {
    return s.Outcome(s.Watch(Failing(body).WithFatalOn<std::logic_error>()));
  };
  EXPECT_EQ(on([](TaskContext&) -> TaskResult { throw std::out_of_range("derived"); }).kind(),
            OutcomeKind::kFatal);
  EXPECT_EQ(on([](TaskContext&) -> TaskResult { throw std::runtime_error("x"); }).attempts(), 3u);
  EXPECT_EQ(on([](TaskContext&) {
              return Fail("given").WithSource(std::make_exception_ptr(std::logic_error("x")));
            }).kind(),
            OutcomeKind::kFatal);
}

TEST(RetryRule, AllThatAreStatedHaveToAgreeAndNullIsNone) {
  Served s;
  const auto with_two_rules = [&](const std::exception_ptr& thrown) {
    const auto throws = [thrown](TaskContext&) -> TaskResult { std::rethrow_exception(thrown); };
    TaskSpec spec = TaskSpec::Restartable(throws).WithBackoff(kNoBackoff).WithMaxRetries(2);
    return s.Outcome(
        s.Watch(std::move(spec).WithFatalOn<std::out_of_range>().WithRetryOn<std::logic_error>()));
  };
  EXPECT_EQ(with_two_rules(std::make_exception_ptr(std::logic_error("x"))).attempts(), 3u);
  EXPECT_EQ(with_two_rules(std::make_exception_ptr(std::out_of_range("x"))).kind(),
            OutcomeKind::kFatal);
  EXPECT_EQ(with_two_rules(std::make_exception_ptr(std::runtime_error("x"))).kind(),
            OutcomeKind::kFatal);
  const auto never = [](const TaskError&) { return false; };
  auto body = [](TaskContext&) { return Fail("why"); };
  EXPECT_EQ(s.Outcome(s.Watch(Failing(body).WithRetryIf(never).WithRetryIf(nullptr))).attempts(),
            3u);
}

TEST(RetryRule, IsDestroyedWithTheBodyBeforeAnybodyIsTold) {
  Served s;
  for (int round = 0; round < 50; ++round) {
    auto owned = std::make_shared<int>(0);
    const std::weak_ptr<int> left = owned;
    const auto task = s.Watch(TaskSpec::Once([] {}).WithRetryIf(
        [owned = std::move(owned)](const TaskError&) { return true; }));
    static_cast<void>(task.waiter.Wait());
    ASSERT_TRUE(left.expired());
  }
}

}  // namespace
}  // namespace taskvisor::testing
