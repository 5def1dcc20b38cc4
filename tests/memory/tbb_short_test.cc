// oneTBB has no memory for what it is given to run: its allocator, which is its own library's, is
// stood in for here.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>

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

// Nothing of TBB's is allocated for a task, or for the work items that run them.
TEST_P(TbbShort, EverythingRunsAllTheSame) {
  Supervisor supervisor = Make();
  const SupervisorHandle handle = supervisor.Serve();
  HeldBody held;
  std::atomic<int> ran{0};
  ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  g_tbb_short = true;
  std::vector<TaskSpec> batch;
  for (int i = 0; i < 50; ++i) {
    batch.push_back(TaskSpec::Once([&] {
      // Past the budget of an item.
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ++ran;
    }));
  }
  EXPECT_TRUE(handle.AddBatch(std::move(batch)).ok());
  EXPECT_TRUE(handle.Add(TaskSpec::Once([&] { ++ran; })).ok());
  held.LetGo();
  EXPECT_TRUE(Eventually([&] { return ran == 51; }));
  EXPECT_EQ(supervisor.Shutdown(), absl::OkStatus());
  EXPECT_EQ(g_refused, 0);
}

// It is the loop that fails, with its task.
TEST_P(TbbShort, ALoopThatFindsNoMemoryFailsItsTaskOnly) {
  Supervisor supervisor = Make();
  const SupervisorHandle handle = supervisor.Serve();
  g_tbb_short = true;
  const auto loops =
      handle.AddAndWatch(TaskSpec::Once([] { oneapi::tbb::parallel_for(0, 1000, [](int) {}); }));
  EXPECT_EQ(KindOf(loops->waiter), OutcomeKind::kFailed);
  EXPECT_GT(g_refused, 0);
  g_tbb_short = false;
  const auto next = handle.AddAndWatch(TaskSpec::Once(DoNothing));
  EXPECT_EQ(KindOf(next->waiter), OutcomeKind::kCompleted);
  EXPECT_EQ(supervisor.Shutdown(), absl::OkStatus());
}

INSTANTIATE_TEST_SUITE_P(Workers, TbbShort, ::testing::Values(1, 2));

}  // namespace
}  // namespace taskvisor::testing
