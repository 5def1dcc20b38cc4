// Promises about real time and real processors (D5, D14, 177). Run alone: see SERIAL.

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/recorder.h"

namespace taskvisor::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Keeps its core busy and looks at nothing.
void Spin(Duration duration) {
  const auto until = steady_clock::now() + duration;
  while (steady_clock::now() < until) {
  }
}

TEST(ContractRules, D05_ShutdownReturnsByGrace) {
  const auto recorder = std::make_shared<Recorder>();
  auto supervisor = Supervisor::Create({.grace = milliseconds(200), .subscribers = {recorder}});
  const SupervisorHandle handle = supervisor->Serve();
  Gate inside;
  const auto spinner = handle.AddAndWatch(TaskSpec::Once("spinner", [&] {
    inside.Open();
    Spin(milliseconds(800));
  }));
  const auto polite = handle.AddAndWatch(TaskSpec::Once("polite", UntilCancelled));
  ASSERT_TRUE(inside.Wait());
  const auto start = steady_clock::now();
  const absl::Status result = handle.Shutdown();
  const Duration took = steady_clock::now() - start;
  EXPECT_GE(took, milliseconds(200));
  EXPECT_LE(took, milliseconds(400));
  const auto exceeded = GraceExceeded::From(result);
  ASSERT_TRUE(exceeded.has_value()) << result;
  ASSERT_EQ(exceeded->stuck.size(), 1u);
  EXPECT_EQ(exceeded->stuck.front().name, "spinner");
  EXPECT_GE(exceeded->stuck.front().running_for, milliseconds(200));
  EXPECT_EQ(KindOf(spinner->waiter), OutcomeKind::kStuck);
  EXPECT_EQ(KindOf(polite->waiter), OutcomeKind::kCancelled);
  EXPECT_EQ(recorder->Count(Recorder::Is(EventKind::kGraceExceeded)), 1u);

  EXPECT_FALSE(spinner->waiter.IsDrained());
  EXPECT_TRUE(spinner->waiter.Drained().ok());  // when it returns
  EXPECT_GE(steady_clock::now() - start, milliseconds(500));
}

TEST(ContractRules, D05_ACooperativeTaskCostsNoGrace) {
  auto supervisor = Supervisor::Create({.grace = std::chrono::seconds(10)});
  const SupervisorHandle handle = supervisor->Serve();
  const auto task = handle.AddAndWatch(TaskSpec::Once(UntilCancelled));
  const auto start = steady_clock::now();
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_LE(steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCancelled);
}

// Destroys a supervisor with a body that never returns; 0 if that took what it may.
int DestroyWithAStubbornBody() {
  auto supervisor = Supervisor::Create({.destroy_grace = milliseconds(100)});
  std::optional<Supervisor> owner(std::move(supervisor).value());
  static auto* const held = new HeldBody();  // outlives the test's last line
  static_cast<void>(owner->Serve().Add(TaskSpec::Once("undying", held->Body())));
  if (!held->Inside()) return 2;
  const auto start = steady_clock::now();
  owner.reset();
  const Duration took = steady_clock::now() - start;
  std::fprintf(stderr, "it took %lld ms\n", static_cast<long long>(took / milliseconds(1)));
  return took >= milliseconds(100) && took <= milliseconds(700) ? 0 : 1;
}

TEST(ContractShutdownDeathTest, S177_TheDestructorReturnsWithinItsBoundAndSaysWhatItLeaks) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(std::_Exit(DestroyWithAStubbornBody()), ::testing::ExitedWithCode(0),
              "destroyed and leaks.*undying");
}

// Confines this process, and what it starts, to one of its processors.
bool UseOneProcessor() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return false;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return sched_setaffinity(0, sizeof(one), &one) == 0;
  }
  return false;
}

// On one processor, with nobody waiting on any of the library's own primitives: work,
// delays and timeouts go on. 0 if they do.
int ProgressWithOneProcessor() {
  if (!UseOneProcessor()) return 2;
  auto supervisor = Supervisor::Create();
  const SupervisorHandle handle = supervisor->Serve();
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) {
    if (!handle.Add(TaskSpec::Once([&] { ++ran; })).ok()) return 3;
  }
  if (!Eventually([&] { return ran == 100; })) return 4;

  std::atomic<int> beats{0};
  if (!handle.Add(TaskSpec::Periodic("pulse", milliseconds(1), [&] { ++beats; })).ok()) return 5;
  if (!Eventually([&] { return beats >= 5; })) return 6;

  // A body that holds the one worker does not hold up the timers.
  std::atomic<bool> timed_out{false};
  const auto busy = [&](TaskContext& context) {
    while (!context.Cancelled()) {
    }
    timed_out = context.Cause() == CancelCause::kTimeout;
  };
  if (!handle.Add(TaskSpec::Once(busy).WithTimeout(milliseconds(5))).ok()) return 7;
  if (!Eventually([&] { return timed_out.load(); })) return 8;
  return handle.Shutdown().ok() ? 0 : 9;
}

TEST(ContractRulesDeathTest, D14_EverythingMovesOnOneProcessorWithNobodyWaiting) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";  // a process in which TBB is not up yet
  EXPECT_EXIT(std::_Exit(ProgressWithOneProcessor()), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace taskvisor::testing
