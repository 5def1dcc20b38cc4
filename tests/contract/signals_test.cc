// Q. The rules where C++ differs: signals (D12).

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/contract/served.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

std::atomic<int> g_host_signals{0};
void CountSignal(int) { ++g_host_signals; }

// A host's own handler for SIGINT, while this lives.
class HostHandler {
 public:
  HostHandler() {
    g_host_signals = 0;
    struct sigaction action {};
    action.sa_handler = &CountSignal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, &old_);
  }
  ~HostHandler() { sigaction(SIGINT, &old_, nullptr); }
  HostHandler(const HostHandler&) = delete;
  HostHandler& operator=(const HostHandler&) = delete;

  [[nodiscard]] static bool Installed() {
    struct sigaction now {};
    sigaction(SIGINT, nullptr, &now);
    return now.sa_handler == &CountSignal;
  }

 private:
  struct sigaction old_ {};
};

// Threads of this process with that name.
int ThreadsNamed(const std::string& name) {
  int count = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string comm;
    std::ifstream(thread.path() / "comm") >> comm;
    if (comm == name) ++count;
  }
  return count;
}

TEST(ContractRules, D12_OutsideOfRunSignalsAreTheHosts) {
  const HostHandler host;
  Served served;
  const WatchedTask task = served.Watch(TaskSpec::Once(UntilCancelled));
  EXPECT_TRUE(HostHandler::Installed());
  EXPECT_EQ(ThreadsNamed("tv-signals"), 0);
  ASSERT_EQ(kill(getpid(), SIGINT), 0);
  EXPECT_TRUE(Eventually([] { return g_host_signals == 1; }));
  EXPECT_FALSE(served.handle.shutdown_trigger().has_value());
  EXPECT_FALSE(task.waiter.Ready());
}

TEST(ContractRules, D12_InRunTheyAreOursAndAfterwardsTheHostsAgain) {
  const HostHandler host;
  Harness harness;
  Gate inside;
  int watchers = 0;
  auto body = [&](TaskContext& context) {
    watchers = ThreadsNamed("tv-signals");
    inside.Open();
    return UntilCancelled(context);
  };
  std::jthread sender([&] {
    inside.Pass();
    kill(getpid(), SIGINT);
  });
  EXPECT_TRUE(harness.supervisor->Run(TaskSpec::Once(body)).ok());
  EXPECT_EQ(harness.supervisor->shutdown_trigger()->kind, ShutdownTrigger::Kind::kSignal);
  EXPECT_EQ(watchers, 1);
  EXPECT_EQ(g_host_signals, 0);  // chaining is not done behind the host's back

  EXPECT_TRUE(HostHandler::Installed());
  EXPECT_EQ(ThreadsNamed("tv-signals"), 0);
  ASSERT_EQ(kill(getpid(), SIGINT), 0);
  EXPECT_TRUE(Eventually([] { return g_host_signals == 1; }));
}

TEST(ContractRules, D12_RunsOfSeveralSupervisorsShareTheSignals) {
  const HostHandler host;
  Harness one;
  Harness other;
  int watchers = 0;
  auto body = [&](TaskContext& context) {
    watchers = ThreadsNamed("tv-signals");
    return UntilCancelled(context);
  };
  std::jthread run([&] { EXPECT_TRUE(one.supervisor->Run(TaskSpec::Once(body)).ok()); });
  ASSERT_TRUE(one.recorder->Await(Recorder::Is(EventKind::kTaskStarting)));
  // One that comes and goes takes nothing with it.
  EXPECT_TRUE(other.supervisor->Run(TaskSpec::Once(DoNothing)).ok());
  EXPECT_FALSE(one.supervisor->shutdown_trigger().has_value());
  Harness third;
  std::jthread beside(
      [&] { EXPECT_TRUE(third.supervisor->Run(TaskSpec::Once(UntilCancelled)).ok()); });
  ASSERT_TRUE(third.recorder->Await(Recorder::Is(EventKind::kTaskStarting)));
  ASSERT_EQ(kill(getpid(), SIGINT), 0);
  run.join();
  beside.join();
  EXPECT_EQ(watchers, 1);
  EXPECT_EQ(one.supervisor->shutdown_trigger()->signal, SIGINT);
  EXPECT_EQ(third.supervisor->shutdown_trigger()->signal, SIGINT);
  EXPECT_EQ(g_host_signals, 0);
  EXPECT_TRUE(HostHandler::Installed());
}

}  // namespace
}  // namespace taskvisor::testing
