// Where the slots of tasks come from: each thread that adds keeps some for what it adds next.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "taskvisor/supervisor.h"

namespace taskvisor::testing {
namespace {

// Adds one, and its slot, when it has ended and left.
uint32_t AddOne(const SupervisorHandle& handle) {
  auto added = handle.AddAndWatch(TaskSpec::Once([] {}));
  EXPECT_TRUE(added.ok()) << added.status();
  EXPECT_TRUE(added->waiter.Wait()->IsSuccess());
  while (handle.Stats().tasks > 0) std::this_thread::yield();
  return added->id.slot();
}

// Who ends leaves them to the next thread: slots that got lost would be made up for by new ones.
TEST(Slots, ThreadsThatEndLoseNone) {
  auto supervisor = Supervisor::Create({.max_tasks = 1});
  const SupervisorHandle handle = supervisor->Serve();
  uint32_t highest = 0;
  for (int i = 0; i < 500; ++i) {
    std::thread([&] { highest = std::max(highest, AddOne(handle)); }).join();
  }
  EXPECT_LT(highest, 500u);
  EXPECT_TRUE(handle.Shutdown().ok());
}

// More than have slots of their own: those take some, and give back what is left each time.
TEST(Slots, ManyThreadsThatAddLoseNone) {
  constexpr int kThreads = 100;
  constexpr uint32_t kRounds = 400;
  auto supervisor = Supervisor::Create({.workers = 2, .max_tasks = kThreads});
  const SupervisorHandle handle = supervisor->Serve();
  std::atomic<uint32_t> highest{0};
  std::atomic<int> there{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      ++there;
      while (there < kThreads) std::this_thread::yield();  // all of them live at once
      for (uint32_t round = 0; round < kRounds; ++round) {
        auto added = handle.AddAndWatch(TaskSpec::Once([] {}));
        ASSERT_TRUE(added.ok()) << added.status();
        ASSERT_TRUE(added->waiter.Wait()->IsSuccess());
        uint32_t seen = highest;
        while (seen < added->id.slot() && !highest.compare_exchange_weak(seen, added->id.slot())) {
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // 64 threads and 2 seats with up to 32 each, and one for each that adds just now.
  EXPECT_LT(highest, 64u * 32 + 2 * 32 + kThreads * 32);
  EXPECT_TRUE(handle.Shutdown().ok());
}

}  // namespace
}  // namespace taskvisor::testing
