// K. Waiters and outcomes: what holds around them (122-127).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/gate.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(ContractOutcomes, S122_WhenWaitReturnsTheNameIsFreeAndTheBodyGone) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  for (int round = 0; round < 300; ++round) {
    auto owned = std::make_shared<int>(0);
    const auto task = handle.AddAndWatch(TaskSpec::Once("reused", [keep = owned] {}));
    ASSERT_TRUE(task.ok()) << task.status() << " in round " << round;
    ASSERT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);
    ASSERT_EQ(owned.use_count(), 1);
  }
}

// Looks, from the fan-out, at what is true when an event of the end arrives.
class EndWitness : public Subscriber {
 public:
  void OnEvent(const Event& event) override {
    if (event.task() != "watched") return;
    if (event.kind() == EventKind::kActorExhausted) {
      name_was_free = handle->Add(TaskSpec::Once("watched", UntilCancelled)).ok();
      seen.Open();
    } else if (event.kind() == EventKind::kTaskRemoved && !outcome_was_out.has_value()) {
      outcome_was_out = waiter.Ready();
      done.Open();
    }
  }
  std::string_view Name() const override { return "witness"; }

  std::optional<SupervisorHandle> handle;
  TaskWaiter waiter;
  Gate seen;
  Gate done;
  bool name_was_free = false;
  std::optional<bool> outcome_was_out;
};

TEST(ContractOutcomes, S123_TheStepsOfTheEndComeInOrder) {
  const auto witness = std::make_shared<EndWitness>();
  Harness harness({.subscribers = {witness}});
  witness->handle = harness.Serve();
  HeldBody held;
  const auto task = witness->handle->AddAndWatch(TaskSpec::Once("watched", held.Body()));
  witness->waiter = task->waiter;
  held.LetGo();
  ASSERT_TRUE(witness->seen.Wait());
  EXPECT_TRUE(witness->name_was_free);  // index removal, then end event
  ASSERT_TRUE(witness->done.Wait());
  EXPECT_EQ(witness->outcome_was_out, true);  // outcome, then TaskRemoved
  const auto end = harness.recorder->Await(Recorder::Is(EventKind::kActorExhausted, task->id));
  const auto removed = harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoved, task->id));
  EXPECT_LT(end->sequence, removed->sequence);

  // TaskRemoved, then the signal that the canceller waits for.
  const auto again = witness->handle->List();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(witness->handle->Cancel(again.front().id).value());
  const TaskId marker = witness->handle->Add(TaskSpec::Once("marker", DoNothing)).value();
  const auto gone =
      harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoved, again.front().id));
  const auto after = harness.recorder->Await(Recorder::Is(EventKind::kTaskAddRequested, marker));
  EXPECT_LT(gone->sequence, after->sequence);

  // And all of it before the verdict, which waits for the last one's decrement.
  EXPECT_TRUE(witness->handle->Shutdown().ok());
  EXPECT_EQ(harness.recorder->Events().back().kind(), EventKind::kAllStoppedWithinGrace);
  witness->handle.reset();
}

TEST(ContractOutcomes, S124_TheReasonIsTheSameInOutcomeAndEndEvent) {
  Harness harness({.grace = seconds(1)});
  const SupervisorHandle handle = harness.Serve();
  const std::string bytes = std::string("a\nb\0\xff", 5).append(1000, 'x');
  auto fails = [bytes](TaskContext&) { return Fail(bytes).WithExitCode(2); };
  auto throws = [](TaskContext&) -> TaskResult { throw std::runtime_error("thrown"); };
  std::vector<TaskSpec> specs;
  specs.push_back(TaskSpec::Once("failed", fails));
  specs.push_back(TaskSpec::Restartable("exhausted", fails)
                      .WithMaxRetries(1)
                      .WithBackoff(BackoffPolicy::Constant(Duration::zero())));
  specs.push_back(TaskSpec::Once("fatal", [bytes](TaskContext&) { return Fatal(bytes); }));
  specs.push_back(TaskSpec::Once("thrown", throws));
  specs.push_back(TaskSpec::Once("completed", DoNothing));
  specs.push_back(TaskSpec::Once("cancelled", [](TaskContext&) { return Cancelled(); }));
  for (TaskSpec& spec : specs) {
    const auto task = handle.AddAndWatch(std::move(spec));
    const TaskOutcome outcome = task->waiter.Wait().value();
    const auto end = harness.recorder->Await([&](const Event& event) {
      return event.id() == task->id && event.outcome_kind().has_value();
    });
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->reason(), outcome.reason()) << end->ToString();
    EXPECT_EQ(end->outcome_kind(), outcome.kind());
    EXPECT_EQ(end->exit_code(), outcome.exit_code());
    EXPECT_LE(outcome.reason().size(), kMaxReasonLength);
  }
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("stuck", held.Body()));
  ASSERT_TRUE(held.Inside());
  ASSERT_TRUE(handle.Remove(task->id).value());
  harness.Advance(seconds(1));
  const TaskOutcome outcome = task->waiter.Wait().value();
  const auto end = harness.recorder->Await(Recorder::Is(EventKind::kActorDead, task->id));
  EXPECT_EQ(end->reason(), outcome.reason());
  EXPECT_FALSE(outcome.reason().empty());
}

TEST(ContractOutcomes, S125_AWaiterStaysPendingAcrossRetriesAndRepeats) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  auto fails_at_even = [](TaskContext& context) {
    return context.attempt() % 2 == 0 ? Fail("even") : Ok();
  };
  const auto task = handle.AddAndWatch(TaskSpec::Periodic("pulse", hours(1), fails_at_even)
                                           .WithBackoff(BackoffPolicy::Constant(hours(1))));
  for (size_t attempt = 1; attempt <= 6; ++attempt) {
    ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kBackoffScheduled), attempt));
    EXPECT_FALSE(task->waiter.Ready());
    harness.Advance(hours(1));
  }
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kBackoffScheduled), 7));
  ASSERT_TRUE(handle.Cancel(task->id).value());
  const TaskOutcome outcome = task->waiter.Wait().value();
  EXPECT_EQ(outcome.kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(outcome.attempts(), 7u);
}

TEST(ContractOutcomes, S126_DroppingAWaiterNeverTouchesItsTask) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  std::atomic<bool> cancelled{true};
  auto body = [&, held_body = held.Body()](TaskContext& context) mutable {
    held_body(context);
    cancelled = context.Cancelled();
  };
  static_cast<void>(handle.AddAndWatch(TaskSpec::Once("unwatched", body)));
  ASSERT_TRUE(held.Inside());
  held.LetGo();
  const auto end = harness.recorder->Await(Recorder::Is(EventKind::kActorExhausted, "unwatched"));
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->outcome_kind(), OutcomeKind::kCompleted);
  EXPECT_FALSE(cancelled);
}

TEST(ContractOutcomes, S127_WithoutAnOutcomeTheWaiterSaysSoInsteadOfInventingOne) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  TaskWaiter of_a_dropped_spec;
  {
    TaskSpec spec = TaskSpec::Once("dropped", DoNothing);
    of_a_dropped_spec = spec.Watch();
    EXPECT_FALSE(of_a_dropped_spec.Ready());
  }
  TaskSpec invalid = TaskSpec::Once(std::string(kMaxNameLength + 1, 'n'), DoNothing);
  const TaskWaiter of_an_invalid_spec = invalid.Watch();
  EXPECT_FALSE(handle.Add(std::move(invalid)).ok());
  EXPECT_TRUE(handle.Shutdown().ok());
  TaskSpec late = TaskSpec::Once("late", DoNothing);
  const TaskWaiter of_a_late_spec = late.Watch();
  EXPECT_FALSE(handle.Add(std::move(late)).ok());

  const TaskWaiter waiters[] = {of_a_dropped_spec, of_an_invalid_spec, of_a_late_spec,
                                TaskWaiter()};
  for (const TaskWaiter& waiter : waiters) {
    EXPECT_TRUE(waiter.Ready());
    EXPECT_EQ(ErrorLabel(waiter.Wait().status()), "runtime_shutting_down");
    EXPECT_EQ(waiter.WaitFor(hours(1)).status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(waiter.Drained().code(), absl::StatusCode::kUnavailable);
    EXPECT_FALSE(waiter.id().valid());
  }
}

TEST(ContractOutcomes, S127_ARefusalIsToldBeforeAddReturns) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  const auto invalid = [](TaskWaiter& waiter) {
    TaskSpec spec = TaskSpec::Once(std::string(kMaxNameLength + 1, 'n'), DoNothing);
    waiter = spec.Watch();
    return spec;
  };
  // In one expression: the parameter that the spec was moved to may still be there.
  TaskWaiter first;
  EXPECT_TRUE(!handle.Add(invalid(first)).ok() && first.Ready());
  TaskWaiter second;
  EXPECT_TRUE(!handle.TryAdd(invalid(second)).ok() && second.Ready());
  TaskWaiter third;
  std::vector<taskvisor::TaskSpec> batch;
  batch.push_back(invalid(third));
  EXPECT_TRUE(!handle.AddBatch(std::move(batch)).ok() && third.Ready());
  TaskWaiter fourth;
  EXPECT_TRUE(!handle.AddAndWatch(invalid(fourth)).ok() && fourth.Ready());
  TaskWaiter fifth;
  EXPECT_TRUE(!handle.TryAddAndWatch(invalid(fifth)).ok() && fifth.Ready());
}

TEST(ContractOutcomes, S127_ADuplicateSaysWhetherItsTwinIsInTheBatchOrRegistered) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  const auto refused = [&](std::string first, std::string second) {
    std::vector<taskvisor::TaskSpec> batch;
    batch.push_back(TaskSpec::Once(std::move(first), DoNothing));
    batch.push_back(TaskSpec::Once(std::move(second), DoNothing));
    return std::string(handle.AddBatch(std::move(batch)).status().message());
  };
  EXPECT_EQ(refused("twin", "twin"),
            "the name \"twin\" is taken: two specs of the batch are named so");
  ASSERT_TRUE(handle.Add(TaskSpec::Once("old", UntilCancelled)).ok());
  EXPECT_EQ(refused("new", "old"),
            "the name \"old\" is taken: it is registered; Cancel waits until the name is free");
}

// A body may wait for what became of a task, and the shutdown for the body.
TEST(ContractOutcomes, S127_ABatchThatRunDoesNotAddIsToldBeforeRunWaits) {
  Harness harness({.workers = 1});
  const SupervisorHandle handle = harness.Serve();
  TaskSpec spec = TaskSpec::Once(DoNothing);
  const TaskWaiter never = spec.Watch();
  Gate begun;
  const auto waits = handle.AddAndWatch(TaskSpec::Once([&] {
    begun.Open();
    EXPECT_TRUE(Eventually([&] { return never.Ready(); }));
  }));
  ASSERT_TRUE(begun.Wait());
  handle.RequestShutdown();
  EXPECT_EQ(harness.supervisor->Run(std::move(spec)), absl::OkStatus());
  EXPECT_TRUE(waits->waiter.Ready());
}

TEST(ContractOutcomes, S127_ADuplicateAddAnswersWithAnErrorNotAWaiter) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  ASSERT_TRUE(handle.Add(TaskSpec::Once("taken", UntilCancelled)).ok());
  EXPECT_EQ(handle.AddAndWatch(TaskSpec::Once("taken", DoNothing)).status().code(),
            absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace taskvisor::testing
