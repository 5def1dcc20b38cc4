// A. Events: the library's reports about itself (24-25).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/subscribers.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

constexpr EventMask kDiagnostics{EventKind::kSubscriberOverflow, EventKind::kSubscriberPanicked,
                                 EventKind::kRuntimeFailure};

SupervisorConfig With(std::shared_ptr<Subscriber> subscriber) {
  SupervisorConfig config;
  config.subscribers = {std::move(subscriber)};
  return config;
}

TEST(ContractEvents, S024_SubscriberOverflowNamesSubscriberReasonAndCount) {
  auto slow = std::make_shared<HeldSubscriber>("slow", 2, EventMask{kMark});
  Inside inside(With(slow));
  const LetGoAtEnd let_go({slow});
  inside.Mark(1);
  ASSERT_TRUE(slow->Inside());
  inside.Mark(2, 3);  // one finds room
  inside.Flush();
  slow->LetGo();
  // The place of an event is free when the next one is handled.
  ASSERT_TRUE(Eventually([&] { return slow->Events().size() == 2; }));
  inside.Mark(4);  // taken: the episode is over
  const auto full = inside.recorder->Await(Recorder::Is(EventKind::kSubscriberOverflow, "slow"));
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->reason(), "full");
  EXPECT_EQ(full->count(), 1u);
  EXPECT_EQ(full->id(), std::nullopt);
}

TEST(ContractEvents, S024_SubscriberOverflowTellsOfLagOnTheBus) {
  Inside inside(WithBus(2));
  ASSERT_TRUE(inside.HoldRelay());
  inside.Mark(1, 4);  // one finds room
  inside.LetRelayGo();
  const auto lagged = inside.recorder->Await(IsLag());
  ASSERT_TRUE(lagged.has_value());
  EXPECT_EQ(lagged->reason(), "lagged(3)");
  EXPECT_EQ(lagged->count(), 3u);
}

TEST(ContractEvents, S024_SubscriberPanickedNamesSubscriberAndMessage) {
  auto bad = std::make_shared<Listener>(
      "bad", [](const Event&) { throw std::runtime_error("cannot take it"); }, EventMask{kMark});
  Inside inside(With(bad));
  inside.Mark(1);
  const auto panicked = inside.recorder->Await(Recorder::Is(EventKind::kSubscriberPanicked));
  ASSERT_TRUE(panicked.has_value());
  EXPECT_EQ(panicked->task(), "bad");
  EXPECT_EQ(panicked->reason(), "cannot take it");
}

TEST(ContractEvents, S024_RuntimeFailureNamesTheComponent) {
  internal::Hooks hooks;
  hooks.on_observe = [](const Event& event) {
    if (event.slot() == "mark") throw std::runtime_error("tracker broke");
  };
  Inside inside({}, std::move(hooks));
  inside.Mark(1);
  const auto failure = inside.recorder->Await(Recorder::Is(EventKind::kRuntimeFailure));
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->task(), "event_relay");
  EXPECT_EQ(failure->reason(), "tracker broke");
}

TEST(ContractEvents, S025_TheInternalDiagnosticsAreTheseThreeKinds) {
  for (int i = 0; i < kEventKindCount; ++i) {
    const auto kind = static_cast<EventKind>(i);
    EXPECT_EQ(Event(kind).IsInternalDiagnostic(), kDiagnostics.Has(kind)) << Label(kind);
  }
}

TEST(ContractEvents, S025_LosingADiagnosticIsNotReported) {
  auto slow = std::make_shared<HeldSubscriber>("slow", 2, kDiagnostics | EventMask{kMark});
  Inside inside(With(slow));
  const LetGoAtEnd let_go({slow});
  inside.Mark(1);
  ASSERT_TRUE(slow->Inside());
  inside.Mark(2);  // full
  for (const EventKind kind : {EventKind::kSubscriberOverflow, EventKind::kSubscriberPanicked,
                               EventKind::kRuntimeFailure}) {
    inside.Publish(kind, [](internal::EventDraft& e) { e.WithTask("forged"); });
  }
  inside.Flush();
  EXPECT_EQ(inside.StatsOf("slow").dropped, 3u) << "lost, and counted";
  EXPECT_EQ(inside.recorder->Count(Recorder::Is(EventKind::kSubscriberOverflow, "slow")), 0u);
  // Anything else is reported, and they are not in that report.
  inside.Mark(3);
  inside.Flush();
  EXPECT_EQ(inside.StatsOf("slow").dropped, 4u);
  slow->LetGo();
  ASSERT_TRUE(Eventually([&] { return slow->Events().size() == 2; }));
  inside.Mark(4);
  const auto full = inside.recorder->Await(Recorder::Is(EventKind::kSubscriberOverflow, "slow"));
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->count(), 1u);
}

TEST(ContractEvents, S025_FailingAtADiagnosticIsNotReported) {
  auto bad = std::make_shared<Listener>(
      "bad", [](const Event&) { throw std::runtime_error("again"); },
      kDiagnostics | EventMask{kMark});
  Inside inside(With(bad));
  inside.Mark(1);  // fails; so does the handling of its report
  ASSERT_TRUE(inside.recorder->Await(Recorder::Is(EventKind::kSubscriberPanicked)));
  inside.Publish(EventKind::kRuntimeFailure, [](internal::EventDraft& e) { e.WithTask("forged"); });
  inside.Publish(EventKind::kSubscriberOverflow,
                 [](internal::EventDraft& e) { e.WithTask("forged"); });
  ASSERT_TRUE(inside.supervisor().Shutdown().ok());
  EXPECT_EQ(inside.StatsOf("bad").delivered, 4u);
  EXPECT_EQ(inside.recorder->Count(Recorder::Is(EventKind::kSubscriberPanicked)), 1u);
}

TEST(ContractEvents, S025_FailingToObserveADiagnosticIsNotReported) {
  internal::Hooks hooks;
  hooks.on_observe = [](const Event& event) {
    if (event.slot() == "mark" || event.IsInternalDiagnostic()) throw std::runtime_error("broke");
  };
  Inside inside({}, std::move(hooks));
  inside.Mark(1);
  ASSERT_TRUE(inside.recorder->Await(Recorder::Is(EventKind::kRuntimeFailure)));
  inside.Flush();
  EXPECT_EQ(inside.recorder->Count(Recorder::Is(EventKind::kRuntimeFailure)), 1u);
}

}  // namespace
}  // namespace taskvisor::testing
