#include "tools/treesum/chaos.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "taskvisor/task_context.h"

namespace taskvisor::treesum {
namespace {

std::vector<Fault> Draw(const Chaos& chaos, int count) {
  std::vector<Fault> faults;
  for (int i = 0; i < count; ++i) faults.push_back(chaos.Decide("file" + std::to_string(i), 1));
  return faults;
}

TEST(Chaos, IsAFunctionOfSeedPathAndAttempt) {
  const Chaos chaos(0.5, 7);
  EXPECT_EQ(Draw(chaos, 500), Draw(Chaos(0.5, 7), 500));
  EXPECT_NE(Draw(chaos, 500), Draw(Chaos(0.5, 8), 500));
  std::vector<Fault> attempts;
  for (uint32_t n = 1; n <= 100; ++n) attempts.push_back(chaos.Decide("file", n));
  EXPECT_NE(attempts, std::vector<Fault>(100, attempts.front()));
}

TEST(Chaos, IsTheSameOnEveryMachine) {
  const Chaos chaos(0.5, 7);
  std::string drawn;
  for (uint32_t n = 1; n <= 24; ++n) {
    drawn += std::to_string(static_cast<int>(chaos.Decide("\xFF/a b", n)));
  }
  EXPECT_EQ(drawn, "000020000232002111210011");
}

TEST(Chaos, KeepsToItsProbabilityAndItsShares) {
  constexpr int kDraws = 20000;
  std::map<Fault, int> counts;
  for (const Fault fault : Draw(Chaos(0.2, 1), kDraws)) ++counts[fault];
  const auto share = [&](Fault fault) { return static_cast<double>(counts[fault]) / kDraws; };
  EXPECT_NEAR(share(Fault::kNone), 0.8, 0.02);
  EXPECT_NEAR(share(Fault::kFailure), 0.08, 0.01);
  EXPECT_NEAR(share(Fault::kException), 0.06, 0.01);
  EXPECT_NEAR(share(Fault::kSlow), 0.04, 0.01);
  EXPECT_NEAR(share(Fault::kHang), 0.02, 0.01);
}

TEST(Chaos, KnowsNeverAndAlways) {
  for (const Fault fault : Draw(Chaos(0, 1), 1000)) EXPECT_EQ(fault, Fault::kNone);
  for (const Fault fault : Draw(Chaos(1, 1), 1000)) EXPECT_NE(fault, Fault::kNone);
}

TEST(Strike, DoesWhatTheFaultSays) {
  DetachedContext detached;
  EXPECT_FALSE(Strike(Fault::kNone, detached.context()).has_value());
  EXPECT_FALSE(Strike(Fault::kSlow, detached.context()).has_value());
  const auto failure = Strike(Fault::kFailure, detached.context());
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->error().kind, TaskErrorKind::kFailed);
  EXPECT_THROW(static_cast<void>(Strike(Fault::kException, detached.context())),
               std::runtime_error);
}

TEST(Strike, HangsUntilItIsStopped) {
  DetachedContext timed_out;
  timed_out.Cancel(CancelCause::kTimeout);
  EXPECT_EQ(Strike(Fault::kHang, timed_out.context())->error().kind, TaskErrorKind::kTimeout);
  DetachedContext shut_down;
  shut_down.Cancel(CancelCause::kShutdown);
  EXPECT_EQ(Strike(Fault::kHang, shut_down.context())->error().kind, TaskErrorKind::kCancelled);
}

}  // namespace
}  // namespace taskvisor::treesum
