#include <gtest/gtest.h>
#include <time.h>

#include <array>
#include <chrono>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "taskvisor/async.h"
#include "taskvisor/awaiters.h"
#include "taskvisor/supervisor.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

Event EndOf(Harness& harness, EventKind kind, TaskId id, size_t n = 1) {
  const auto event = harness.recorder->Await(Recorder::Is(kind, id), n);
  EXPECT_TRUE(event.has_value());
  return event.value_or(Event(kind));
}

// One worker, which a body holds.
struct OneWorker : Harness {
  explicit OneWorker(SupervisorConfig config = {}) : Harness(With(std::move(config))) {
    EXPECT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
    EXPECT_TRUE(held.Inside());
  }
  static SupervisorConfig With(SupervisorConfig config) {
    config.workers = 1;
    return config;
  }
  SupervisorHandle handle = Serve();
  HeldBody held;
};

TEST(Accounting, QueueWaitIsFromTheAdmissionToTheStart) {
  OneWorker one;
  const auto task = one.handle.AddAndWatch(TaskSpec::Once([] {}));
  const auto asked = one.handle.AddAndWatch(TaskSpec::Once([] {}).WithCpuTime());
  one.Advance(1234ns);
  one.held.LetGo();
  const Event stopped = EndOf(one, EventKind::kTaskStopped, task->id);
  EXPECT_EQ(stopped.queue_wait(), 1234ns);
  EXPECT_EQ(stopped.duration(), 0ns);
  EXPECT_EQ(stopped.cpu_time(), std::nullopt);
  EXPECT_EQ(stopped.exit_code(), std::nullopt);
  const TaskOutcome outcome = *asked->waiter.Wait();
  EXPECT_EQ(outcome.queue_wait(), 1234ns);
  EXPECT_EQ(outcome.run_time(), 0ns);
  EXPECT_EQ(outcome.overrun(), std::nullopt);
  EXPECT_TRUE(outcome.cpu_time().has_value());
  EXPECT_EQ(task->waiter.Wait()->queue_wait(), std::nullopt) << "not asked for";
}

// What does not fit into 32 bits takes another way through the record.
TEST(Accounting, ALongWaitIsExactToo) {
  for (const Duration wait : {Duration((int64_t{1} << 32) - 1), Duration(int64_t{1} << 32),
                              Duration(100h + 1ns), Duration(0)}) {
    OneWorker one;
    const auto task = one.handle.Add(TaskSpec::Once("named", [] {}));
    one.Advance(wait);
    one.held.LetGo();
    EXPECT_EQ(EndOf(one, EventKind::kTaskStopped, *task).queue_wait(), wait);
  }
}

// A body whose destructor does something.
class WithDestructor {
 public:
  explicit WithDestructor(std::function<void()> what) : what_(std::move(what)) {}
  WithDestructor(WithDestructor&& other) noexcept : what_(std::exchange(other.what_, nullptr)) {}
  ~WithDestructor() {
    if (what_) what_();
  }
  void operator()() const {}

 private:
  std::function<void()> what_;
};

TEST(Accounting, WhatTheDestructorOfTheBodyBeforeItTakesIsWaiting) {
  OneWorker one;
  ASSERT_TRUE(one.handle.Add(TaskSpec::Once(WithDestructor([&] { one.Advance(5ms); }))).ok());
  const auto task = one.handle.Add(TaskSpec::Once([] {}));
  one.held.LetGo();
  const Event stopped = EndOf(one, EventKind::kTaskStopped, *task);
  EXPECT_EQ(stopped.queue_wait(), 5ms);
  EXPECT_EQ(stopped.duration(), 0ns);
}

// How many of 100 tasks that one worker runs in a row start when the one before it ended.
int StartsAtAnEnd(const std::function<TaskSpec()>& spec) {
  constexpr size_t kTasks = 100;
  OneWorker one({.clock = RealClock()});
  std::vector<TaskId> ids;
  for (size_t i = 0; i < kTasks; ++i) ids.push_back(one.handle.Add(spec()).value());
  one.held.LetGo();
  int at_an_end = 0;
  for (size_t i = 1; i < kTasks; ++i) {
    const WallTime end = EndOf(one, EventKind::kTaskStopped, ids[i - 1]).at();
    const Event start = EndOf(one, EventKind::kTaskStarting, ids[i]);
    EXPECT_GE(start.at(), end);
    at_an_end += start.at() == end ? 1 : 0;
  }
  return at_an_end;
}

// The exception of an attempt is kept for the next one, and destroyed when that is over.
TEST(Accounting, NobodyStartsAtAnEndAfterWhichAnExceptionWasDestroyed) {
  constexpr size_t kTasks = 100;
  OneWorker one({.clock = RealClock()});
  const auto body = [](TaskContext& context) {
    if (context.attempt() == 1) throw std::runtime_error("perhaps with a destructor of a user's");
  };
  std::vector<TaskId> ids;
  for (size_t i = 0; i < kTasks; ++i) {
    auto spec = TaskSpec::Restartable(body).WithBackoff(BackoffPolicy::Constant(0ns));
    ids.push_back(one.handle.Add(std::move(spec)).value());
  }
  one.held.LetGo();
  std::set<WallTime> ends;
  for (const TaskId id : ids) ends.insert(EndOf(one, EventKind::kTaskStopped, id).at());
  for (const TaskId id : ids) {
    EXPECT_FALSE(ends.contains(EndOf(one, EventKind::kTaskStarting, id, /*n=*/2).at()));
  }
}

TEST(Accounting, WhoFollowsAtOnceStartsWhenTheOneBeforeItEndedUnlessCodeOfTheUsersRanBetween) {
  EXPECT_GT(StartsAtAnEnd([] { return TaskSpec::Once([] {}); }), 0);
  EXPECT_EQ(StartsAtAnEnd([] { return TaskSpec::Once(WithDestructor([] {})); }), 0);
  const auto ruled = [] {
    return TaskSpec::Once([] {}).WithRetryIf([](const TaskError&) { return true; });
  };
  EXPECT_EQ(StartsAtAnEnd(ruled), 0);
  const std::array<char, 4096> large{};  // its memory may go back to the system
  EXPECT_EQ(StartsAtAnEnd([&] { return TaskSpec::Once([large] { EXPECT_EQ(large[0], 0); }); }), 0);
}

TEST(Accounting, AFailureHasItsWaitBesideItsExitCode) {
  OneWorker one;
  const auto task = one.handle.AddAndWatch(TaskSpec::Once("broken", [] {
                                             throw FatalError("no disk", /*exit_code=*/-28);
                                           }).WithCpuTime());
  one.Advance(7ms);
  one.held.LetGo();
  const Event failed = EndOf(one, EventKind::kTaskFailed, task->id);
  EXPECT_EQ(failed.queue_wait(), 7ms);
  EXPECT_EQ(failed.exit_code(), -28);
  EXPECT_EQ(failed.reason(), "no disk");
  EXPECT_EQ(failed.task(), "broken");
  EXPECT_EQ(task->waiter.Wait()->queue_wait(), 7ms);
}

TEST(Accounting, AfterADelayTheWaitBeginsWhenItIsOver) {
  Harness harness({.workers = 1});
  const SupervisorHandle handle = harness.Serve();
  const auto body = [](TaskContext& c) { return c.attempt() == 1 ? Fail("again") : Ok(); };
  const auto task =
      handle.Add(TaskSpec::Restartable(body).WithBackoff(BackoffPolicy::Constant(100ms)));
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kBackoffScheduled)).has_value());
  EXPECT_EQ(EndOf(harness, EventKind::kTaskFailed, *task).queue_wait(), 0ns);
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  harness.Advance(130ms);
  held.LetGo();
  EXPECT_EQ(EndOf(harness, EventKind::kTaskStopped, *task).queue_wait(), 30ms);
}

TEST(Accounting, WaitingForAPermitIsWaiting) {
  Harness harness({.workers = 2, .max_concurrent = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  const auto task = handle.Add(TaskSpec::Once([] {}));
  ASSERT_TRUE(Eventually([&] { return handle.Stats().permits == -1; }));
  harness.Advance(9ms);
  held.LetGo();
  EXPECT_EQ(EndOf(harness, EventKind::kTaskStopped, *task).queue_wait(), 9ms);
}

TEST(Accounting, OfATimedOutAttemptTimeoutAndOverrunAreTheRunTime) {
  Harness harness({.workers = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once(held.Body()).WithTimeout(10ms).WithCpuTime());
  ASSERT_TRUE(held.Inside());
  harness.Advance(14ms);
  held.LetGo();
  const TaskOutcome outcome = *task->waiter.Wait();
  EXPECT_EQ(outcome.run_time(), 14ms);
  EXPECT_EQ(outcome.overrun(), 4ms);
  const Event failed = EndOf(harness, EventKind::kTaskFailed, task->id);
  EXPECT_EQ(failed.duration(), 14ms);
  EXPECT_EQ(failed.overrun(), 4ms);
}

TEST(Accounting, ATaskThatNoAttemptHasEndedHasNoTimes) {
  OneWorker one;
  const auto task = one.handle.AddAndWatch(TaskSpec::Once([] {}).WithCpuTime());
  ASSERT_TRUE(one.handle.Remove(task->id).value());
  const TaskOutcome outcome = *task->waiter.Wait();
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(outcome.queue_wait(), std::nullopt);
  EXPECT_EQ(outcome.run_time(), std::nullopt);
  EXPECT_EQ(outcome.cpu_time(), std::nullopt);
}

Duration ThreadTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec);
}

TEST(Accounting, CpuTimeIsThatOfTheBodysThreadWhatWaitsHasNone) {
  auto supervisor = Supervisor::Create({.workers = 1});
  const SupervisorHandle handle = supervisor->Serve();
  Duration own{};
  const auto spins = handle.AddAndWatch(TaskSpec::Once([&] {
                                          const Duration start = ThreadTime();
                                          while ((own = ThreadTime() - start) < 5ms) {
                                          }
                                        }).WithCpuTime());
  const TaskOutcome spun = *spins->waiter.Wait();
  ASSERT_TRUE(spun.cpu_time().has_value());
  EXPECT_GE(*spun.cpu_time(), own);
  EXPECT_LE(*spun.cpu_time(), own + 1ms);
  EXPECT_LE(*spun.cpu_time(), *spun.run_time() + 1ms);
  const auto sleeps =
      handle.AddAndWatch(TaskSpec::Once([](TaskContext& c) { c.SleepFor(20ms); }).WithCpuTime());
  const TaskOutcome slept = *sleeps->waiter.Wait();
  ASSERT_TRUE(slept.cpu_time().has_value());
  EXPECT_GE(*slept.run_time(), 20ms);
  EXPECT_LE(*slept.cpu_time(), 10ms);
}

TEST(Accounting, CpuTimeOfACoroutineIsThatOfItsPartsOnACore) {
  auto supervisor = Supervisor::Create({.workers = 1});
  const SupervisorHandle handle = supervisor->Serve();
  Duration own{};
  const auto spin = [&own] {
    const Duration start = ThreadTime();
    Duration part{};
    while ((part = ThreadTime() - start) < 3ms) {
    }
    own += part;
  };
  const auto task = handle.AddAndWatch(TaskSpec::Once([&]() -> Async<> {
                                         spin();
                                         co_await SleepFor(20ms);
                                         spin();
                                         co_await Yield();
                                         spin();
                                       }).WithCpuTime());
  const TaskOutcome outcome = *task->waiter.Wait();
  ASSERT_EQ(outcome.kind(), OutcomeKind::kCompleted);
  ASSERT_TRUE(outcome.cpu_time().has_value());
  EXPECT_GE(*outcome.run_time(), 29ms);
  EXPECT_GE(*outcome.cpu_time(), own);
  EXPECT_LE(*outcome.cpu_time(), own + 1ms);
}

TEST(Accounting, CpuTimeIsInheritedUnlessStated) {
  TaskDefaults defaults;
  EXPECT_FALSE(defaults.cpu_time);
  defaults.cpu_time = true;
  EXPECT_TRUE(TaskSpec::Once([] {}).Resolve(defaults).cpu_time);
  EXPECT_FALSE(TaskSpec::Once([] {}).WithoutCpuTime().Resolve(defaults).cpu_time);
  EXPECT_TRUE(TaskSpec::Once([] {}).WithCpuTime().Resolve({}).cpu_time);
  EXPECT_EQ(TaskSpec::Once([] {}).WithCpuTime().cpu_time(), true);
  const auto spec = TaskSpec::Explicit("x", RestartPolicy::Never(), {}, std::nullopt, [] {});
  EXPECT_FALSE(spec.Resolve(defaults).cpu_time);
}

TEST(Accounting, TheTextOfAnEventNamesTheTimes) {
  const Event event =
      Event(EventKind::kTaskStopped).WithDuration(3ms).WithQueueWait(2ms).WithCpuTime(1ms);
  const std::string text = event.ToString();
  EXPECT_NE(text.find(" queue_wait=2ms"), std::string::npos) << text;
  EXPECT_NE(text.find(" cpu_time=1ms"), std::string::npos) << text;
}

}  // namespace
}  // namespace taskvisor::testing
