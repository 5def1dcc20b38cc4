// The system has no thread for us. pthread_create is stood in for: its n-th call fails.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "taskvisor/supervisor.h"
#include "tests/support/bodies.h"
#include "tests/support/recorder.h"

namespace {

std::atomic<int> g_until_failure{0};  // 0: none fails

}  // namespace

// NOLINTNEXTLINE: its name
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*routine)(void*), void* argument) noexcept {
  static auto* const real =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  if (g_until_failure > 0 && --g_until_failure == 0) return EAGAIN;
  return real(thread, attributes, routine, argument);
}

namespace taskvisor::testing {
namespace {

// In the order in which they are made.
enum Thread { kWorker = 1, kTimers = 2, kBus = 3, kSubscription = 4 };

struct NoThread : ::testing::TestWithParam<Thread> {
  void TearDown() override { g_until_failure = 0; }
  [[nodiscard]] Supervisor Make() const {
    SupervisorConfig config{.workers = 1};
    config.subscribers = {recorder};
    return std::move(Supervisor::Create(std::move(config))).value();
  }
  const std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
};

void ExpectWorks(Supervisor& supervisor) {
  const SupervisorHandle handle = supervisor.Serve();
  auto added = handle.AddAndWatch(TaskSpec::Restartable("retried", [](TaskContext& context) {
                                    return context.attempt() < 3 ? Fail("not yet") : Ok();
                                  }).WithBackoff(BackoffPolicy::Constant(Duration(1000))));
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(KindOf(added->waiter), OutcomeKind::kCompleted);
  EXPECT_EQ(supervisor.Shutdown(), absl::OkStatus());
}

TEST_P(NoThread, ServeThrowsAndMayBeCalledAgain) {
  Supervisor supervisor = Make();
  g_until_failure = GetParam();
  EXPECT_THROW(supervisor.Serve(), std::system_error);
  EXPECT_TRUE(recorder->Events().empty());
  ExpectWorks(supervisor);
  EXPECT_GT(recorder->Count(Recorder::Is(EventKind::kTaskAdded)), 0u);
}

TEST_P(NoThread, RunAnswersSoAndMayBeCalledAgain) {
  Supervisor supervisor = Make();
  g_until_failure = GetParam();
  const absl::Status status = supervisor.Run(TaskSpec::Once(DoNothing));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(ErrorLabel(status), "runtime_start_failed");
  EXPECT_EQ(supervisor.Run(TaskSpec::Once(DoNothing)), absl::OkStatus());
}

TEST_P(NoThread, ShutdownOfOneThatWasNeverStartedAnswersSo) {
  Supervisor supervisor = Make();
  g_until_failure = GetParam();
  EXPECT_EQ(ErrorLabel(supervisor.Shutdown()), "runtime_start_failed");
  EXPECT_EQ(supervisor.Shutdown(), absl::OkStatus());
}

TEST_P(NoThread, ASupervisorThatCouldNotServeIsDestroyed) {
  {
    Supervisor supervisor = Make();
    g_until_failure = GetParam();
    EXPECT_THROW(supervisor.Serve(), std::system_error);
  }
  EXPECT_EQ(recorder.use_count(), 1);
}

INSTANTIATE_TEST_SUITE_P(Of, NoThread, ::testing::Values(kWorker, kTimers, kBus));

// What it misses is counted.
TEST(NoThreadOf, ASubscriberItIsClosedAndLetGo) {
  const auto recorder = std::make_shared<Recorder>();
  SupervisorConfig config{.workers = 1};
  config.subscribers = {recorder};
  auto supervisor = Supervisor::Create(std::move(config));
  g_until_failure = kSubscription;
  const SupervisorHandle handle = supervisor->Serve();
  EXPECT_EQ(g_until_failure, 0);
  EXPECT_EQ(recorder.use_count(), 1) << "nobody will call it";
  ExpectWorks(*supervisor);
  EXPECT_TRUE(recorder->Events().empty());
  const SubscriberStats stats = handle.SubscriberStats().front();
  EXPECT_GT(stats.offered, 0u);
  EXPECT_EQ(stats.dropped, stats.offered);
}

TEST(NoThreadOf, AShutdownItRunsOnTheCaller) {
  auto supervisor = Supervisor::Create({.workers = 1});
  const SupervisorHandle handle = supervisor->Serve();
  HeldBody held;
  auto added = handle.AddAndWatch(TaskSpec::Restartable(UntilCancelled));
  ASSERT_TRUE(added.ok());
  g_until_failure = 1;
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
  EXPECT_EQ(g_until_failure, 0);
  EXPECT_EQ(KindOf(added->waiter), OutcomeKind::kCancelled);
}

TEST(NoThreadOf, SignalsRunIsRefused) {
  auto supervisor = Supervisor::Create({.workers = 1});
  static_cast<void>(supervisor->Serve());
  g_until_failure = 1;
  const absl::Status status = supervisor->Run(TaskSpec::Once(DoNothing));
  EXPECT_EQ(ErrorLabel(status), "runtime_signal_setup_failed");
}

}  // namespace
}  // namespace taskvisor::testing
