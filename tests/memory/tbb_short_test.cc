// oneTBB has no memory for a work item: its allocator, which is its own library's, is stood in
// for here.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/support/bodies.h"

namespace {

std::atomic<bool> g_tbb_short{false};
std::atomic<int> g_refused{0};

void CountOrThrow() {
  if (!g_tbb_short) return;
  ++g_refused;
  throw std::bad_alloc();
}

template <class Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// As <oneapi/tbb/detail/_small_object_pool.h> declares them.
namespace tbb::detail::r1 {

void* allocate(d1::small_object_pool*& pool, size_t bytes, const d1::execution_data& data) {
  CountOrThrow();
  static auto* const real = Real<void*(d1::small_object_pool*&, size_t, const d1::execution_data&)>(
      "_ZN3tbb6detail2r18allocateERPNS0_2d117small_object_poolEmRKNS2_14execution_dataE");
  return real(pool, bytes, data);
}

void* allocate(d1::small_object_pool*& pool, size_t bytes) {
  CountOrThrow();
  static auto* const real = Real<void*(d1::small_object_pool*&, size_t)>(
      "_ZN3tbb6detail2r18allocateERPNS0_2d117small_object_poolEm");
  return real(pool, bytes);
}

}  // namespace tbb::detail::r1

namespace taskvisor::testing {
namespace {

struct TbbShort : ::testing::TestWithParam<size_t> {
  void SetUp() override { g_refused = 0; }
  void TearDown() override { g_tbb_short = false; }
  Supervisor Make() const { return std::move(Supervisor::Create({.workers = GetParam()})).value(); }
};

TEST_P(TbbShort, WhatWasAddedRunsWhenThereIsMemoryAgain) {
  Supervisor supervisor = Make();
  const SupervisorHandle handle = supervisor.Serve();
  std::atomic<int> ran{0};
  g_tbb_short = true;
  EXPECT_TRUE(handle.Add(TaskSpec::Once([&] { ++ran; })).ok());
  std::vector<TaskSpec> batch;
  for (int i = 0; i < 99; ++i) batch.push_back(TaskSpec::Once([&] { ++ran; }));
  EXPECT_TRUE(handle.AddBatch(std::move(batch)).ok());
  const int refused = g_refused;
  EXPECT_GT(refused, 0);
  EXPECT_TRUE(Eventually([&] { return g_refused > refused; })) << "it is tried again";
  EXPECT_EQ(ran, 0);
  g_tbb_short = false;
  EXPECT_TRUE(Eventually([&] { return ran == 100; }));
  EXPECT_EQ(supervisor.Shutdown(), absl::OkStatus());
}

// A work item goes back to TBB when its time is up: without memory for that it stays.
TEST_P(TbbShort, WhatRunsGoesOn) {
  Supervisor supervisor = Make();
  const SupervisorHandle handle = supervisor.Serve();
  HeldBody held;
  std::atomic<int> ran{0};
  ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  g_tbb_short = true;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(handle
                    .Add(TaskSpec::Once([&] {
                      // Past the budget of an item.
                      std::this_thread::sleep_for(std::chrono::milliseconds(1));
                      ++ran;
                    }))
                    .ok());
  }
  held.LetGo();
  EXPECT_TRUE(Eventually([&] { return ran == 50; }));
  EXPECT_GT(g_refused, 0);
  g_tbb_short = false;
  EXPECT_EQ(supervisor.Shutdown(), absl::OkStatus());
}

TEST_P(TbbShort, AShutdownDoesNotWaitForMemory) {
  Supervisor supervisor = Make();
  const SupervisorHandle handle = supervisor.Serve();
  g_tbb_short = true;
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(handle.Add(TaskSpec::Once(DoNothing)).ok());
  std::thread later([] {
    EXPECT_TRUE(Eventually([] { return g_refused > 60; }));
    g_tbb_short = false;
  });
  EXPECT_EQ(supervisor.Shutdown(), absl::OkStatus());
  EXPECT_EQ(handle.Stats().tasks, 0u);
  later.join();
}

INSTANTIATE_TEST_SUITE_P(Workers, TbbShort, ::testing::Values(1, 2));

}  // namespace
}  // namespace taskvisor::testing
