// The n-th allocation inside an admission fails, for each n: it is as if it had never been
// called, or it has succeeded all the same.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/support/bodies.h"
#include "tests/support/failing_memory.h"

namespace taskvisor::testing {
namespace {

using std::chrono::minutes;
using From = FailingMemory::From;

// What is admitted: made before the memory fails, and then given to the call.
using Specs = std::function<std::vector<TaskSpec>(std::atomic<int>& ran)>;
// One admission of all of them.
using Call = std::function<absl::Status(const SupervisorHandle&, std::vector<TaskSpec>)>;

class Attempt {
 public:
  Attempt(const Specs& specs, const Call& call, std::shared_ptr<Clock> clock)
      : specs_(specs), call_(call) {
    auto created = Supervisor::Create({.workers = 2, .clock = std::move(clock)});
    EXPECT_TRUE(created.ok());
    supervisor_ = std::make_unique<Supervisor>(std::move(created).value());
    handle_ = std::make_unique<SupervisorHandle>(supervisor_->Serve());
  }

  // False: there were fewer than n allocations.
  bool FailAt(uint64_t n, From from) {
    std::vector<TaskSpec> specs = specs_(ran_);
    const auto count = static_cast<int>(specs.size());
    std::vector<TaskWaiter> waiters;
    for (TaskSpec& spec : specs) waiters.push_back(spec.Watch());
    absl::Status status;
    bool failed = false;
    {
      const FailingMemory memory(n, from);
      status = call_(*handle_, std::move(specs));
      failed = memory.failures() > 0;
    }
    if (status.ok()) {
      ExpectEnds(count);
    } else {
      ExpectNothing(status, waiters);
    }
    // And the next one is a success.
    ran_ = 0;
    EXPECT_EQ(call_(*handle_, specs_(ran_)), absl::OkStatus());
    ExpectEnds(count);
    EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus());
    return failed;
  }

 private:
  void ExpectEnds(int count) {
    EXPECT_TRUE(Eventually([&] { return handle_->Stats().tasks == 0; }));
    EXPECT_EQ(ran_, count);
  }
  void ExpectNothing(const absl::Status& status, const std::vector<TaskWaiter>& waiters) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    const std::string label = ErrorLabel(status);
    EXPECT_TRUE(label.empty() || label == "runtime_out_of_memory") << label;
    EXPECT_EQ(handle_->Stats().tasks, 0u);
    EXPECT_TRUE(handle_->List().empty());
    EXPECT_EQ(ran_, 0);
    for (const TaskWaiter& waiter : waiters) {
      EXPECT_FALSE(waiter.id().valid());
      EXPECT_EQ(waiter.Wait().status().code(), absl::StatusCode::kUnavailable);
    }
  }

  const Specs& specs_;
  const Call& call_;
  std::atomic<int> ran_{0};
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<SupervisorHandle> handle_;
};

void FailEach(const Specs& specs, const Call& call, const std::shared_ptr<Clock>& clock = nullptr) {
  uint64_t failures = 0;
  for (const From from : {From::kOnce, From::kOnwards}) {
    for (uint64_t n = 1; !::testing::Test::HasFailure(); ++n) {
      SCOPED_TRACE("allocation " + std::to_string(n) + (from == From::kOnce ? "" : " and later"));
      if (!Attempt(specs, call, clock).FailAt(n, from)) break;
      ++failures;
    }
  }
  EXPECT_GT(failures, 0u) << "nothing was allocated";
}

TaskSpec Once(std::string name, std::atomic<int>& ran) {
  return TaskSpec::Once(std::move(name), [&ran] { ++ran; });
}

absl::Status AddFirst(const SupervisorHandle& handle, std::vector<TaskSpec> specs) {
  return handle.Add(std::move(specs.front())).status();
}
absl::Status AddAll(const SupervisorHandle& handle, std::vector<TaskSpec> specs) {
  return handle.AddBatch(std::move(specs)).status();
}

TEST(AdmissionMemory, AddOfAnAnonymousTask) {
  FailEach([](auto& ran) { return Batch(Once("", ran)); }, AddFirst);
}

TEST(AdmissionMemory, AddOfANamedTask) {
  FailEach([](auto& ran) { return Batch(Once("short", ran)); }, AddFirst);
}

TEST(AdmissionMemory, TryAddOfATaskWithALongNameAndRulesOfItsOwn) {
  FailEach(
      [](auto& ran) {
        return Batch(Once(std::string(200, 'n'), ran).WithTimeout(minutes(7)).WithMaxRetries(3));
      },
      [](const SupervisorHandle& handle, std::vector<TaskSpec> specs) {
        return handle.TryAdd(std::move(specs.front())).status();
      });
}

absl::Status WatchFirst(const SupervisorHandle& handle, std::vector<TaskSpec> specs) {
  return handle.AddAndWatch(std::move(specs.front())).status();
}

TEST(AdmissionMemory, AddAndWatch) {
  FailEach([](auto& ran) { return Batch(Once("watched", ran)); }, WatchFirst);
}

TEST(AdmissionMemory, AddAndWatchOnAClockOfTheUsers) {
  FailEach([](auto& ran) { return Batch(Once("watched", ran)); }, WatchFirst,
           std::make_shared<ManualClock>());
}

TEST(AdmissionMemory, AddAndWatchWithoutAPlaceForTheOutcome) {
  auto supervisor = Supervisor::Create({.workers = 1});
  const SupervisorHandle handle = supervisor->Serve();
  constexpr size_t kAtOnce = 256;  // places are made by so many
  std::vector<TaskSpec> specs;
  std::vector<TaskWaiter> waiters(kAtOnce);  // they keep their places
  for (size_t i = 0; i < kAtOnce; ++i) specs.push_back(TaskSpec::Once(DoNothing));
  auto spec = Batch(TaskSpec::Once("watched", DoNothing));
  absl::Status status;
  {
    const FailingMemory memory(1, From::kOnwards);
    try {
      for (size_t i = 0; i < kAtOnce; ++i) waiters[i] = specs[i].Watch();
    } catch (const std::bad_alloc&) {
    }
    status = WatchFirst(handle, std::move(spec));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(handle.Stats().tasks, 0u);
  auto added = handle.AddAndWatch(TaskSpec::Once("watched", DoNothing));
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(KindOf(added->waiter), OutcomeKind::kCompleted);
}

// Over several chunks of the slab, and more than the queue has room for.
TEST(AdmissionMemory, AddBatchOfAnonymousTasks) {
  FailEach(
      [](auto& ran) {
        std::vector<TaskSpec> specs;
        for (int i = 0; i < 1500; ++i) specs.push_back(Once("", ran).WithTimeout(minutes(1 + i)));
        return specs;
      },
      AddAll);
}

TEST(AdmissionMemory, AddBatchOfNamedAndAnonymousTasks) {
  FailEach(
      [](auto& ran) {
        std::vector<TaskSpec> specs;
        for (int i = 0; i < 300; ++i) {
          const std::string name = std::string(i % 3 == 0 ? 60 : 5, 'n') + std::to_string(i);
          specs.push_back(Once(i % 5 == 0 ? "" : name, ran));
        }
        return specs;
      },
      AddAll);
}

// A name that is taken is told as such, without memory too.
TEST(AdmissionMemory, ARefusalIsTold) {
  for (const From from : {From::kOnce, From::kOnwards}) {
    for (uint64_t n = 1; !::testing::Test::HasFailure(); ++n) {
      auto supervisor = Supervisor::Create({.workers = 1});
      const SupervisorHandle handle = supervisor->Serve();
      HeldBody held;
      ASSERT_TRUE(handle.Add(TaskSpec::Once("taken", held.Body())).ok());
      auto specs = Batch(TaskSpec::Once("free", DoNothing), TaskSpec::Once("taken", DoNothing));
      const TaskWaiter waiters[] = {specs[0].Watch(), specs[1].Watch()};
      absl::Status status;
      bool failed = false;
      {
        const FailingMemory memory(n, from);
        status = handle.AddBatch(std::move(specs)).status();
        failed = memory.failures() > 0;
      }
      EXPECT_EQ(handle.Stats().tasks, 1u);
      if (status.code() == absl::StatusCode::kAlreadyExists) {
        EXPECT_EQ(waiters[0].Wait()->rejection(), RejectionKind::kBatchRejected);
        EXPECT_EQ(waiters[1].Wait()->rejection(), RejectionKind::kAlreadyExists);
      } else {
        EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
        EXPECT_FALSE(waiters[0].Wait().ok());
      }
      held.LetGo();
      EXPECT_TRUE(handle.AddBatch(Batch(TaskSpec::Once("free", DoNothing))).ok());
      EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
      if (!failed) break;
    }
  }
}

// Run counts as used, but its supervisor is not lost.
TEST(AdmissionMemory, Run) {
  for (uint64_t n = 1; !::testing::Test::HasFailure(); ++n) {
    auto supervisor = Supervisor::Create({.workers = 1});
    const SupervisorHandle handle = supervisor->Serve();
    std::atomic<int> ran{0};
    auto specs = Batch(Once("", ran), Once("run", ran));
    absl::Status status;
    bool failed = false;
    {
      const FailingMemory memory(n, From::kOnce);
      status = supervisor->Run(std::move(specs));
      failed = memory.failures() > 0;
    }
    if (status.ok()) {
      EXPECT_EQ(ran, 2);
    } else {
      EXPECT_EQ(ran, 0);
      EXPECT_EQ(handle.Stats().tasks, 0u) << status;
    }
    static_cast<void>(supervisor->Shutdown());
    if (!failed) break;
  }
}

}  // namespace
}  // namespace taskvisor::testing
