#include "sched/crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "tests/support/gate.h"

namespace taskvisor::internal {
namespace {

using testing::Eventually;

class CrewTest : public ::testing::Test {
 protected:
  static constexpr size_t kSize = 3;
  Crew::Life CountsTurns() {
    return [this](size_t, const Crew::Called& called) {
      while (called()) turns_.fetch_add(1);
    };
  }
  std::atomic<int> turns_{0};
  Crew crew_;
};

TEST_F(CrewTest, ACallIsOneTurnAlsoBeforeTheStart) {
  crew_.Call();
  crew_.Start(kSize, CountsTurns());
  for (int i = 0; i < 100; ++i) crew_.Call();
  EXPECT_TRUE(Eventually([&] { return turns_ == 101; }));
  crew_.Stop();
  EXPECT_EQ(turns_, 101);
}

TEST_F(CrewTest, StartsAgainAfterAStop) {
  for (int round = 1; round <= 20; ++round) {
    crew_.Start(kSize, CountsTurns());
    crew_.Call();
    EXPECT_TRUE(Eventually([&] { return turns_ == round; }));
    crew_.Stop();
  }
}

TEST_F(CrewTest, AThreadThatCannotComeIsTheStartsErrorAndNoCallIsLost) {
  crew_.Call();
  const auto one_fails = [&](size_t number, const Crew::Called& called) {
    if (number == 1) throw std::runtime_error("no room");
    while (called()) turns_.fetch_add(1);
  };
  EXPECT_THROW(crew_.Start(kSize, one_fails), std::runtime_error);
  EXPECT_EQ(turns_, 0);
  crew_.Start(kSize, CountsTurns());
  EXPECT_TRUE(Eventually([&] { return turns_ == 1; }));
  crew_.Stop();
}

// The contract says that it does not; what it was is what the process says.
TEST(CrewDeathTest, ALifeThatThrowsLaterEndsTheProcessWithItsOwnError) {
  const auto throws_at_once = [](size_t, const Crew::Called& called) {
    static_cast<void>(called());
    throw std::runtime_error("its own");
  };
  EXPECT_DEATH(
      {
        Crew crew;
        crew.Start(1, throws_at_once);
        crew.Call();
        crew.Stop();
      },
      "its own");
}

}  // namespace
}  // namespace taskvisor::internal
