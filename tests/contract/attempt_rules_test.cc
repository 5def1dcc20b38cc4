// Q. The rules where C++ differs: attempts and their errors (D6-D9).

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <vector>

#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ContractRules, D06_TheTimeoutIsTheDeadlinesTheFailureIsTheBodys) {
  Served served;
  HeldBody held;
  // Succeeds, late; and would succeed in time at its second attempt.
  auto body = [hold = held.Body()](TaskContext& context) mutable {
    if (context.attempt() == 1) hold(context);
  };
  const WatchedTask task = served.Watch(TaskSpec::Restartable(body)
                                            .WithTimeout(milliseconds(100))
                                            .WithBackoff(BackoffPolicy::Constant(seconds(1))));
  ASSERT_TRUE(held.Inside());
  served.Advance(milliseconds(100));
  EXPECT_EQ(served.Await(EventKind::kTimeoutHit, task).timeout(), milliseconds(100));
  served.Advance(milliseconds(250));
  EXPECT_EQ(served.Count(EventKind::kTaskFailed, task), 0u);
  EXPECT_EQ(served.Count(EventKind::kBackoffScheduled, task), 0u);
  held.LetGo();
  const Event failed = served.Await(EventKind::kTaskFailed, task);
  EXPECT_EQ(failed.overrun(), milliseconds(250));
  EXPECT_EQ(failed.duration(), milliseconds(350));
  served.Await(EventKind::kBackoffScheduled, task);
  served.Advance(seconds(1));
  EXPECT_EQ(Served::Outcome(task).attempts(), 2u);
}

TEST(ContractRules, D07_NeverTwoBodiesOfATaskAndPermitsCountBodies) {
  SupervisorConfig config{.workers = 4};
  config.max_concurrent = 1;
  Served served(config);
  Crowd crowd;
  std::vector<Gate> attempts(6);
  auto deaf = [&](TaskContext& context) {
    const Crowd::Inside inside(crowd);
    attempts[context.attempt() - 1].Pass();
  };
  const WatchedTask task = served.Watch(TaskSpec::Restartable("deaf", deaf)
                                            .WithTimeout(milliseconds(100))
                                            .WithMaxRetries(5)
                                            .WithBackoff(kNoBackoff));
  auto patient = [&] { const Crowd::Inside inside(crowd); };
  std::vector<WatchedTask> others;
  for (size_t attempt = 1; attempt <= 6; ++attempt) {
    ASSERT_TRUE(Eventually([&] { return crowd.now() == 1; }));
    served.Await(EventKind::kTaskStarting, task, attempt);
    others.push_back(served.Watch(TaskSpec::Once(patient)));
    ASSERT_TRUE(Eventually([&] { return served.handle.Stats().permits == -1; }));  // it waits
    served.Advance(milliseconds(100));
    served.Await(EventKind::kTimeoutHit, task, attempt);
    served.Advance(milliseconds(500));
    EXPECT_EQ(served.Count(EventKind::kTaskStarting, task), attempt);
    EXPECT_EQ(crowd.now(), 1);
    attempts[attempt - 1].Open();
    EXPECT_EQ(Served::Outcome(others.back()).kind(), OutcomeKind::kCompleted);
  }
  EXPECT_EQ(Served::Outcome(task).kind(), OutcomeKind::kFailed);
  EXPECT_EQ(crowd.most(), 1);
}

TEST(ContractRules, D08_NoExceptionReachesTbb) {
  SupervisorConfig config{.workers = 2};
  config.bus_capacity = 1 << 12;
  Served served(config);
  std::vector<WatchedTask> good;
  std::vector<WatchedTask> bad;
  for (int i = 0; i < 64; ++i) {  // one escape would cancel the whole group
    bad.push_back(served.Watch(TaskSpec::Once([i] {
      if (i % 2 == 0) throw std::runtime_error("thrown");
      throw 17;  // NOLINT: anything can be thrown
    })));
    good.push_back(served.Watch(TaskSpec::Once(DoNothing)));
  }
  for (const WatchedTask& task : good) {
    EXPECT_EQ(Served::Outcome(task).kind(), OutcomeKind::kCompleted);
  }
  for (size_t i = 0; i < bad.size(); ++i) {
    const TaskOutcome outcome = Served::Outcome(bad[i]);
    EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
    EXPECT_EQ(outcome.reason(),
              i % 2 == 0 ? "task panicked: thrown" : "task panicked: non-string panic payload");
  }
}

struct OurFatal : FatalError {
  OurFatal() : FatalError("derived", 5) {}
};

TEST(ContractRules, D09_FatalIsAMatterOfType) {
  Served served;
  const auto outcome_of = [&](auto body) {
    return Served::Outcome(
        served.Watch(TaskSpec::Restartable(body).WithMaxRetries(1).WithBackoff(kNoBackoff)));
  };
  const TaskOutcome fatals[] = {
      outcome_of([] { throw FatalError("thrown", 3); }),
      outcome_of([] { throw OurFatal(); }),
      outcome_of([] { return Fatal("returned").WithExitCode(4); }),
  };
  for (const TaskOutcome& outcome : fatals) {
    EXPECT_EQ(outcome.kind(), OutcomeKind::kFatal);
    EXPECT_EQ(outcome.attempts(), 1u);  // never tried again
    EXPECT_TRUE(outcome.exit_code().has_value());
  }
  EXPECT_EQ(fatals[1].exit_code(), 5);
  const TaskOutcome others[] = {
      outcome_of([] { throw std::logic_error("any other"); }),
      outcome_of([] { return Fail("returned").WithExitCode(6); }),
  };
  for (const TaskOutcome& outcome : others) {
    EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
    EXPECT_EQ(outcome.attempts(), 2u);
  }
  EXPECT_EQ(others[1].exit_code(), 6);
}

}  // namespace
}  // namespace taskvisor::testing
