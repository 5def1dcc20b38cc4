// Statements 77 to 79: what is thrown.
#include <exception>
#include <stdexcept>
#include <vector>

#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

TEST(ContractExceptions, S077_AThrowingBodyHasFailedAndIsRetriedByItsPolicy) {
  Served s;
  const auto task = s.Watch(TaskSpec::Restartable([](TaskContext& context) {
                              if (context.attempt() < 3) throw std::runtime_error("boom");
                            }).WithBackoff(kNoBackoff));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(outcome.attempts(), 3u);
  s.Story(task);
  EXPECT_EQ(s.Count(EventKind::kTaskFailed, task), 2u);
  EXPECT_EQ(s.Await(EventKind::kTaskFailed, task).reason(), "task panicked: boom");
}

TEST(ContractExceptions, S077_TheExceptionItselfReachesTheOutcome) {
  Served s;
  const TaskOutcome outcome =
      s.Outcome(s.Watch(TaskSpec::Once([] { throw std::out_of_range("row 7"); })));
  EXPECT_EQ(outcome.reason(), "task panicked: row 7");
  ASSERT_NE(outcome.source(), nullptr);
  EXPECT_THROW(std::rethrow_exception(outcome.source()), std::out_of_range);
}

TEST(ContractExceptions, S077_APayloadThatIsNoStdExceptionIsContainedToo) {
  Served s;
  for (const bool text : {false, true}) {
    const TaskOutcome outcome = s.Outcome(s.Watch(TaskSpec::Once([=] {
      if (text) throw "text";
      throw 42;
    })));
    EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
    EXPECT_EQ(outcome.reason(), "task panicked: non-string panic payload");
    EXPECT_NE(outcome.source(), nullptr);
  }
}

TEST(ContractExceptions, S077_AnExceptionWithoutATextIsContainedToo) {
  struct Silent : std::exception {
    const char* what() const noexcept override { return nullptr; }
  };
  Served s;
  const TaskOutcome outcome = s.Outcome(s.Watch(TaskSpec::Once([] { throw Silent(); })));
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_TRUE(outcome.reason().starts_with("task panicked: "));
  ASSERT_NE(outcome.source(), nullptr);
  EXPECT_THROW(std::rethrow_exception(outcome.source()), Silent);
}

TEST(ContractExceptions, S077_OnlyAFatalErrorIsFatal) {
  Served s;
  const auto task = s.Watch(TaskSpec::Restartable([] { throw FatalError("no disk", 12); }));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
  EXPECT_EQ(outcome.reason(), "no disk");
  EXPECT_EQ(outcome.exit_code(), 12);
  ASSERT_NE(outcome.source(), nullptr);
  EXPECT_THROW(std::rethrow_exception(outcome.source()), FatalError);
}

TEST(ContractExceptions, S077_AnExceptionHarmsNoSibling) {
  Served s({.workers = 2, .bus_capacity = 1 << 14});
  std::vector<WatchedTask> tasks;
  for (int i = 0; i < 200; ++i) {
    tasks.push_back(s.Watch(TaskSpec::Once([i] {
      if (i % 3 == 0) throw std::runtime_error("boom");
      if (i % 3 == 1) throw i;
    })));
  }
  for (size_t i = 0; i < tasks.size(); ++i) {
    const TaskOutcome outcome = s.Outcome(tasks[i]);
    EXPECT_EQ(outcome.kind(), i % 3 == 2 ? OutcomeKind::kCompleted : OutcomeKind::kFailed);
    EXPECT_EQ(outcome.attempts(), 1u) << "its body never ran";
  }
}

TEST(ContractExceptions, S078_UnderNeverAThrowingTaskIsFailedAndReaped) {
  Served s;
  const auto task = s.Watch(TaskSpec::Once("thrower", [] { throw std::runtime_error("boom"); }));
  const TaskOutcome outcome = s.Outcome(task);
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
  EXPECT_EQ(outcome.attempts(), 1u);
  const std::vector<EventKind> story = {EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                        EventKind::kTaskStarting,     EventKind::kTaskFailed,
                                        EventKind::kActorExhausted,   EventKind::kTaskRemoved};
  EXPECT_EQ(s.Story(task), story);
  EXPECT_TRUE(s.Outcome(s.Watch(TaskSpec::Once("thrower", [] {}))).IsSuccess());
}

TEST(ContractExceptions, S078_RunReturnsAfterATaskThatThrew) {
  Harness h;
  EXPECT_TRUE(h.supervisor
                  ->Run(TaskSpec::Once([] { throw std::runtime_error("boom"); }),
                        TaskSpec::Once([] { throw 1; }))
                  .ok());
}

TEST(ContractExceptions, S079_AFailureOfTheActorItselfEndsTheTaskAsPanicked) {
  Served s({.workers = 1, .jitter_source = [](std::string_view task, uint64_t) -> double {
              if (task == "std") throw std::runtime_error("no entropy");
              if (task == "int") throw 1;
              return 0.5;
            }});
  for (const char* name : {"std", "int"}) {
    const auto task = s.Watch(TaskSpec::Restartable(name, Scripted("ffff")));
    const TaskOutcome outcome = s.Outcome(task);
    EXPECT_EQ(outcome.kind(), OutcomeKind::kPanicked);
    EXPECT_EQ(outcome.attempts(), 1u);
    EXPECT_FALSE(outcome.reason().empty());
    const std::vector<EventKind> story = {EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                          EventKind::kTaskStarting,     EventKind::kTaskFailed,
                                          EventKind::kActorDead,        EventKind::kTaskRemoved};
    EXPECT_EQ(s.Story(task), story);
    const Event end = s.Await(EventKind::kActorDead, task);
    EXPECT_EQ(end.outcome_kind(), OutcomeKind::kPanicked);
    EXPECT_EQ(end.reason(), outcome.reason());
    // The name is free, and the worker is well.
    EXPECT_TRUE(s.Outcome(s.Watch(TaskSpec::Once(name, [] {}))).IsSuccess());
  }
  EXPECT_TRUE(s.handle.Shutdown().ok());
  EXPECT_EQ(s.recorder->Count(Recorder::Is(EventKind::kRuntimeFailure)), 2u);
}

}  // namespace
}  // namespace taskvisor::testing
