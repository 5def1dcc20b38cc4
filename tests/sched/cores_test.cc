#include "sched/cores.h"

#include <gtest/gtest.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <set>
#include <utility>

#include "sched/cpu_quota.h"
#include "sched/pool.h"
#include "tests/sched/job.h"
#include "tests/support/gate.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::internal {
namespace {

cpu_set_t Mask() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  EXPECT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
  return mask;
}

// Also run by ctest under `taskset -c 0`, where the mask has one core.
TEST(Cores, AsManyWorkersAsTheMaskAndTheQuotaLeave) {
  const cpu_set_t mask = Mask();
  const auto allowed = static_cast<size_t>(CPU_COUNT(&mask));
  const size_t expected = std::min(allowed, CoresByQuota().value_or(allowed));
  EXPECT_EQ(UsableCores({}), expected);
  Pool pool(0);
  EXPECT_EQ(pool.workers(), expected);
}

// oneTBB has looked at the mask by then.
TEST(Cores, AMaskThatIsMadeSmallerLaterCountsToo) {
  static_cast<void>(oneapi::tbb::info::default_concurrency());
  const cpu_set_t before = Mask();
  cpu_set_t one;
  CPU_ZERO(&one);
  size_t cpu = 0;
  while (!CPU_ISSET(cpu, &before)) ++cpu;
  CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  const size_t cores = UsableCores({});
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(cores, 1u);
}

TEST(Cores, WhatIsAskedForIsGivenWhateverTheCores) {
  Pool pool(5);
  EXPECT_EQ(pool.workers(), 5u);
}

class Placed : public testing::TbbTest {
 protected:
  void SetUp() override {
    TbbTest::SetUp();
    if (testing::kAddressSanitizer || testing::kThreadSanitizer) {
      GTEST_SKIP() << "the way in which oneTBB opens tbbbind is not allowed";
    }
    if (NumaNodes().empty()) GTEST_SKIP() << "oneTBB has not found its tbbbind library";
  }
};

// On a machine with one node and one type of core this shows that the pool works, not more.
TEST_F(Placed, EveryNodeAndTypeThatIsThereRunsBodies) {
  ASSERT_FALSE(CoreTypes().empty());
  for (const int node : NumaNodes()) {
    for (const int type : CoreTypes()) {
      const Placement placement{.priority = Priority::kHigh,
                                .numa_node = node,
                                .core_type = type,
                                .max_threads_per_core = 1};
      Pool pool(0, placement);
      pool.Start();
      EXPECT_GE(pool.workers(), 1u);
      EXPECT_LE(pool.workers(), UsableCores({}));
      std::atomic<int> runs{0};
      Job job([&](Seat&) { runs.fetch_add(1); });
      for (int i = 0; i < 100; ++i) pool.Submit(job);
      EXPECT_TRUE(testing::Eventually([&] { return runs == 100; }));
      pool.Join();
    }
  }
}

}  // namespace
}  // namespace taskvisor::internal
