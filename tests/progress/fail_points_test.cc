// The library on atomics with a fail point before every access: see fail_point_atomic.h.

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "tests/progress/stop_and_watch.h"
#include "tests/progress/victims.h"

namespace taskvisor::testing {
namespace {

// Among others: the crowd is there before a thread is stopped. Alone: it comes afterwards, so
// that the thread is also stopped where a pool or a timer thread has run out of work.
enum class Company : uint8_t { kAmongOthers, kAlone };

using Case = std::tuple<Kind, size_t, Company>;  // with so many workers

class EveryFailPoint : public ::testing::TestWithParam<Case> {};

// What a case needs besides the thread that is stopped: a worker, and a permit.
World::Options OptionsFor(size_t workers) {
  return {.workers = workers,
          .max_concurrent = workers > 2 ? std::optional(workers - 1) : std::nullopt,
          .permits = 2};
}

// One thread is stopped: before the first atomic access of its operation, before the
// second, and so on, until the operation has no more.
TEST_P(EveryFailPoint, AThreadStoppedThereHoldsNobodyUp) {
  const auto [kind, workers, company] = GetParam();
  World world(OptionsFor(workers));
  Victims victims(world);
  StopAndWatch watch(world);
  if (company == Company::kAmongOthers) watch.Gather();
  bool missed = false;
  for (uint64_t fail_point = 1; !missed && !HasFailure(); ++fail_point) {
    std::vector<Kind> kinds{kind};
    if (watch.Stop(kinds, {.fail_point = fail_point, .seed = 0})) {
      missed = kinds.empty();
      EXPECT_FALSE(missed && fail_point == 1) << "no fail points: built without them?";
      watch.Gather();
      if (!missed) watch.Watch(kinds);
    }
    watch.Thaw(kinds);
    if (company == Company::kAlone) watch.Dismiss();
  }
  watch.Dismiss();
  watch.Report();
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (size_t k = 0; k < kKinds; ++k) {
    for (size_t workers : {1, 2, 3}) {
      // Somebody must be left to work. A task that is removed may just run, and then the
      // worker waits for who cancels it.
      const bool removes = Kind(k) == Kind::kRemove || Kind(k) == Kind::kRemoveRunning;
      const bool takes_one = removes || IsOfWorkers(Kind(k));
      if (takes_one && workers == 1) continue;
      cases.push_back({Kind(k), workers, Company::kAmongOthers});
      cases.push_back({Kind(k), workers, Company::kAlone});
    }
  }
  return cases;
}

std::string NameOfCase(const ::testing::TestParamInfo<Case>& info) {
  const auto [kind, workers, company] = info.param;
  std::string name = std::string(NameOf(kind)) + " of " + std::to_string(workers) + " workers" +
                     (company == Company::kAlone ? " alone" : " among others");
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Progress, EveryFailPoint, ::testing::ValuesIn(Cases()), NameOfCase);

// These tests can fail: with one permit, who stops with it in hand holds the others up.
TEST(Progress, AThreadThatHoldsTheOthersUpIsFound) {
  constexpr uint64_t kBeforeRelease = 3;  // after the load and the exchange of TryAcquire
  World world({.workers = 2, .max_concurrent = std::nullopt, .permits = 1});
  Victims victims(world);
  StopAndWatch watch(world);
  std::vector<Kind> kinds{Kind::kPermit};
  ASSERT_TRUE(watch.Stop(kinds, {.fail_point = kBeforeRelease, .seed = 0}));
  ASSERT_EQ(kinds.size(), 1u);
  watch.Gather();
  ::testing::TestPartResultArray found;
  {
    using Reporter = ::testing::ScopedFakeTestPartResultReporter;
    const Reporter reporter(Reporter::INTERCEPT_ALL_THREADS, &found);
    watch.Watch(kinds);  // and thaws it
  }
  watch.Dismiss();
  ASSERT_EQ(found.size(), 1);
  EXPECT_NE(std::string(found.GetTestPartResult(0).message()).find("held up"), std::string::npos);
}

}  // namespace
}  // namespace taskvisor::testing
