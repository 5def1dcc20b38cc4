// {queued, running, delaying, waiting for a permit} x {cancel, remove, timeout, shutdown} x
// {obeys, succeeds late, fails late, throws late} x {Never, OnFailure}: each situation is
// brought about on a manual clock, and the outcome and the whole sequence of the task's
// events must be the expected ones.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::milliseconds;
using enum EventKind;

enum class Where : uint8_t { kQueued, kRunning, kDelaying, kWaiting };
enum class What : uint8_t { kCancel, kRemove, kTimeout, kShutdown };
enum class How : uint8_t { kObeys, kSucceedsLate, kFailsLate, kThrowsLate };
enum class Policy : uint8_t { kNever, kOnFailure };
using Case = std::tuple<Where, What, How, Policy>;

constexpr Duration kTimeout = milliseconds(100);
constexpr Duration kBackoff = milliseconds(500);

std::string NameOf(const ::testing::TestParamInfo<Case>& info) {
  static constexpr const char* kWhere[] = {"Queued", "Running", "Delaying", "Waiting"};
  static constexpr const char* kWhat[] = {"Cancel", "Remove", "Timeout", "Shutdown"};
  static constexpr const char* kHow[] = {"Obeys", "SucceedsLate", "FailsLate", "ThrowsLate"};
  const auto [where, what, how, policy] = info.param;
  return std::string(kWhere[static_cast<size_t>(where)]) + "_" + kWhat[static_cast<size_t>(what)] +
         "_" + kHow[static_cast<size_t>(how)] +
         (policy == Policy::kNever ? "_Never" : "_OnFailure");
}

struct Expected {
  OutcomeKind outcome = OutcomeKind::kCancelled;
  uint32_t attempts = 0;
  std::vector<EventKind> events;
};

class Combination : public ::testing::TestWithParam<Case> {
 protected:
  Combination()
      : where_(std::get<0>(GetParam())),
        what_(std::get<1>(GetParam())),
        how_(std::get<2>(GetParam())),
        // Only a task that is retried ever waits for its backoff.
        policy_(where_ == Where::kDelaying ? Policy::kOnFailure : std::get<3>(GetParam())) {}

  // One worker, so that a task can be queued behind another; one permit and two workers, so
  // that one can wait for it.
  void SetUp() override {
    SupervisorConfig config{.workers = where_ == Where::kWaiting ? size_t{2} : size_t{1}};
    if (where_ == Where::kWaiting) config.max_concurrent = 1;
    harness_ = std::make_unique<Harness>(std::move(config));
    handle_.emplace(harness_->Serve());
    if (where_ == Where::kQueued || where_ == Where::kWaiting) {
      blocker_ = std::make_unique<HeldBody>();
      ASSERT_TRUE(handle_->Add(TaskSpec::Once("blocker", blocker_->Body())).ok());
      ASSERT_TRUE(blocker_->Inside());
    }
    Bring();
  }
  void TearDown() override {
    late_.Open();
    if (blocker_ != nullptr) blocker_->LetGo();
    if (canceller_.joinable()) canceller_.join();
  }

  // The task, to where it is wanted.
  void Bring() {
    auto spec = TaskSpec::Restartable("task", [this](TaskContext& c) { return Body(c); })
                    .WithBackoff(BackoffPolicy::Constant(kBackoff))
                    .WithTimeout(kTimeout);
    if (policy_ == Policy::kNever) spec = std::move(spec).WithRestart(RestartPolicy::Never());
    const auto added = handle_->AddAndWatch(std::move(spec));
    ASSERT_TRUE(added.ok()) << added.status();
    id_ = added->id;
    waiter_ = added->waiter;
    static constexpr TaskPhase kPhases[] = {TaskPhase::kQueued, TaskPhase::kRunning,
                                            TaskPhase::kDelaying, TaskPhase::kWaiting};
    ASSERT_TRUE(AwaitPhase(kPhases[static_cast<size_t>(where_)]));
    ASSERT_TRUE(where_ != Where::kRunning || inside_.Wait());
  }

  TaskResult Body(TaskContext& context) {
    if (where_ == Where::kDelaying && context.attempt() == 1) return Fail("the first fails");
    inside_.Open();
    if (!stop_comes_) return Ok();
    while (!context.WaitCancelled(Duration::max())) {
    }
    if (how_ == How::kObeys) return Cancelled();
    late_.Pass();
    if (how_ == How::kSucceedsLate) return Ok();
    if (how_ == How::kFailsLate) return Fail("late");
    throw std::runtime_error("late");
  }

  bool AwaitPhase(TaskPhase phase) {
    return Eventually([&] {
      for (const TaskInfo& task : handle_->List()) {
        if (task.id == id_) return task.phase == phase;
      }
      return false;
    });
  }

  // What happens to it; returns when it has taken effect, and the body may be late.
  void Happen() {
    switch (what_) {
      case What::kCancel:
        canceller_ = std::thread([this] { EXPECT_TRUE(handle_->Cancel(id_).value()); });
        break;
      case What::kRemove:
        EXPECT_TRUE(handle_->Remove(id_).value());
        break;
      case What::kTimeout:
        harness_->Advance(kTimeout);
        break;
      case What::kShutdown:
        handle_->RequestShutdown();
        break;
    }
    if (where_ == Where::kRunning && how_ != How::kObeys) {
      if (what_ == What::kTimeout) {
        ASSERT_TRUE(harness_->recorder->Await(Recorder::Is(kTimeoutHit, id_)));
      } else {
        ASSERT_TRUE(AwaitPhase(TaskPhase::kStopping));
      }
    }
    late_.Open();
  }

  // A timeout is of an attempt: it does not touch a task that has none, and ends only the
  // attempt of one that is retried. Both then come to their end in another way.
  void ComeToAnEnd() {
    if (what_ != What::kTimeout) return;
    if (where_ == Where::kRunning) {
      if (policy_ == Policy::kNever) return;
      ASSERT_TRUE(AwaitPhase(TaskPhase::kDelaying));
      EXPECT_TRUE(handle_->Remove(id_).value());
      return;
    }
    EXPECT_FALSE(waiter_.Ready());
    stop_comes_ = false;
    if (blocker_ != nullptr) blocker_->LetGo();
    if (where_ == Where::kDelaying) harness_->Advance(kBackoff - kTimeout);
  }

  [[nodiscard]] Expected Expect() const {
    Expected expected{.events = {kTaskAddRequested, kTaskAdded}};
    std::vector<EventKind>& events = expected.events;
    const auto add = [&](std::initializer_list<EventKind> kinds) {
      events.insert(events.end(), kinds);
    };
    const bool asked = what_ == What::kCancel || what_ == What::kRemove;
    if (where_ == Where::kDelaying) {
      expected.attempts = 1;
      add({kTaskStarting, kTaskFailed, kBackoffScheduled});
    }
    if (where_ == Where::kRunning) {
      expected.attempts = 1;
      add({kTaskStarting});
      if (asked) add({kTaskRemoveRequested});
      AddEndOfAttempt(expected);
    } else if (what_ == What::kTimeout) {
      ++expected.attempts;
      expected.outcome = OutcomeKind::kCompleted;
      add({kTaskStarting, kTaskStopped});
    } else if (asked) {
      add({kTaskRemoveRequested});
    }
    const bool by_rules =
        expected.outcome == OutcomeKind::kCompleted || expected.outcome == OutcomeKind::kFailed;
    add({by_rules ? kActorExhausted : kActorDead, kTaskRemoved});
    return expected;
  }

  // Of an attempt that ran when it happened.
  void AddEndOfAttempt(Expected& expected) const {
    std::vector<EventKind>& events = expected.events;
    const bool timeout = what_ == What::kTimeout;
    const bool failed = timeout || how_ == How::kFailsLate || how_ == How::kThrowsLate;
    if (timeout) events.push_back(kTimeoutHit);
    events.push_back(failed ? kTaskFailed : kTaskStopped);
    if (!failed) return;
    if (policy_ == Policy::kNever) {
      expected.outcome = OutcomeKind::kFailed;
      return;
    }
    events.push_back(kBackoffScheduled);  // the retry was due, stopped or not
    if (timeout) events.push_back(kTaskRemoveRequested);
  }

  const Where where_;
  const What what_;
  const How how_;
  const Policy policy_;
  std::unique_ptr<Harness> harness_;
  std::optional<SupervisorHandle> handle_;
  std::unique_ptr<HeldBody> blocker_;
  TaskId id_;
  TaskWaiter waiter_;
  Gate inside_;
  Gate late_;
  std::atomic<bool> stop_comes_{true};
  std::thread canceller_;
};

std::string Text(const std::vector<EventKind>& kinds) {
  std::string text;
  for (const EventKind kind : kinds) text += std::string(Label(kind)) + " ";
  return text;
}

TEST_P(Combination, HasItsOutcomeAndItsEventsInOrder) {
  ASSERT_NO_FATAL_FAILURE(Happen());
  ASSERT_NO_FATAL_FAILURE(ComeToAnEnd());
  const auto outcome = waiter_.Wait();
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  if (canceller_.joinable()) canceller_.join();
  if (blocker_ != nullptr) blocker_->LetGo();
  EXPECT_TRUE(handle_->Shutdown().ok());  // which delivers every event

  const Expected expected = Expect();
  EXPECT_EQ(Label(outcome->kind()), Label(expected.outcome));
  EXPECT_EQ(outcome->attempts(), expected.attempts);
  EXPECT_EQ(Text(harness_->recorder->KindsOf(id_)), Text(expected.events));
  const auto permits = handle_->Stats().permits;
  EXPECT_TRUE(!permits.has_value() || *permits == 1) << *permits;
}

INSTANTIATE_TEST_SUITE_P(All, Combination,
                         ::testing::Combine(::testing::Values(Where::kQueued, Where::kRunning,
                                                              Where::kDelaying, Where::kWaiting),
                                            ::testing::Values(What::kCancel, What::kRemove,
                                                              What::kTimeout, What::kShutdown),
                                            ::testing::Values(How::kObeys, How::kSucceedsLate,
                                                              How::kFailsLate, How::kThrowsLate),
                                            ::testing::Values(Policy::kNever, Policy::kOnFailure)),
                         NameOf);

}  // namespace
}  // namespace taskvisor::testing
