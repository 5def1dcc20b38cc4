// B. Events drive nothing (33).

#include <gtest/gtest.h>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

TEST(ContractBus, S033_LosingEveryEventChangesNothing) {
  internal::Hooks hooks;
  hooks.bus_threads = 1;  // this one; what a worker publishes is lost
  Inside inside(WithBus(1), hooks);
  ASSERT_TRUE(inside.HoldRelay());  // and so is every event from here on
  HeldBody body;
  const auto held = inside.handle.AddAndWatch(TaskSpec::Once("name", body.Body()));
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(inside.handle.TryAdd(TaskSpec::Once("name", DoNothing)).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(inside.handle.List().size(), 1u);
  ASSERT_TRUE(body.Inside());
  body.LetGo();
  EXPECT_EQ(KindOf(held->waiter), OutcomeKind::kCompleted);

  const auto again = inside.handle.AddAndWatch(TaskSpec::Once("name", UntilCancelled));
  ASSERT_TRUE(again.ok()) << "the name is free";
  EXPECT_TRUE(*inside.handle.Cancel(again->id));
  EXPECT_EQ(KindOf(again->waiter), OutcomeKind::kCancelled);
  const auto retried =
      inside.handle.AddAndWatch(TaskSpec::Restartable([](TaskContext& c) {
                                  return c.attempt() < 3 ? Fail("x") : Ok();
                                }).WithBackoff(BackoffPolicy::Constant(Duration::zero())));
  ASSERT_TRUE(retried.ok());
  EXPECT_EQ(KindOf(retried->waiter), OutcomeKind::kCompleted);
  EXPECT_TRUE(Eventually([&] { return inside.handle.List().empty(); }));

  inside.LetRelayGo();
  ASSERT_TRUE(inside.recorder->Await(IsLag()));
  for (const auto& task : {*held, *again, *retried}) {
    EXPECT_TRUE(inside.recorder->KindsOf(task.id).empty()) << "they were lost indeed";
  }
  EXPECT_TRUE(inside.supervisor().Shutdown().ok());
}

TEST(ContractBus, S033_AForgedTerminalEventRemovesNothing) {
  Inside inside;
  HeldBody body;
  const auto task = inside.handle.AddAndWatch(TaskSpec::Once("name", body.Body()));
  ASSERT_TRUE(task.ok());
  ASSERT_TRUE(body.Inside());
  for (const EventKind kind :
       {EventKind::kTaskStopped, EventKind::kActorDead, EventKind::kTaskRemoved}) {
    inside.Publish(kind, [&](internal::EventDraft& e) { e.WithId(task->id).WithTask("name"); });
  }
  inside.Flush();
  EXPECT_EQ(inside.handle.List().size(), 1u);
  EXPECT_EQ(inside.handle.Stats().tasks, 1u);
  EXPECT_FALSE(task->waiter.Ready());
  EXPECT_EQ(inside.handle.TryAdd(TaskSpec::Once("name", DoNothing)).status().code(),
            absl::StatusCode::kAlreadyExists);
  body.LetGo();
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);
}

}  // namespace
}  // namespace taskvisor::testing
