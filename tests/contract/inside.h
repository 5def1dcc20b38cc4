#ifndef TASKVISOR_TESTS_CONTRACT_INSIDE_H_
#define TASKVISOR_TESTS_CONTRACT_INSIDE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "supervisor/runtime.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {

// Publishes one more event and waits for it: what was published before has arrived too,
// as far as it was not lost.
inline void Flush(const SupervisorHandle& handle, Recorder& recorder) {
  static std::atomic<uint64_t> next{uint64_t{1} << 60};
  const TaskId nobody(next.fetch_add(1), 0);
  EXPECT_TRUE(handle.Remove(nobody).ok());
  EXPECT_TRUE(recorder.Await(Recorder::Is(EventKind::kTaskRemoveRequested, nobody)));
}

// An event about nothing, and one that stops a RelayStop.
inline internal::EventDraft& AsMark(internal::EventDraft& event, uint64_t n) {
  return event.WithSlot("mark").WithCount(n);
}
inline constexpr EventKind kMark = EventKind::kControllerSlotTransition;
inline Recorder::Match IsMark(uint64_t n) {
  return [=](const Event& e) { return e.slot() == "mark" && e.count() == n; };
}
inline std::vector<uint64_t> Marks(const std::vector<Event>& events) {
  std::vector<uint64_t> marks;
  for (const Event& e : events) {
    if (e.slot() == "mark") marks.push_back(e.count().value_or(0));
  }
  return marks;
}
// first, first + 1, ..., last.
inline std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
  std::vector<uint64_t> numbers;
  for (uint64_t n = first; n <= last; ++n) numbers.push_back(n);
  return numbers;
}

// A bus of this many places, and the report of what found none.
inline SupervisorConfig WithBus(size_t capacity) {
  SupervisorConfig config;
  config.bus_capacity = capacity;
  return config;
}
inline Recorder::Match IsLag() {
  return Recorder::Is(EventKind::kSubscriberOverflow, "subscriber_listener");
}

// Holds the fan-out thread at an event of the slot "stop", before anybody sees it.
class RelayStop {
 public:
  [[nodiscard]] auto Hook() const {
    return [state = state_](const Event& event) {
      if (event.slot() != "stop") return;
      state->held.Open();
      state->go.Pass();
    };
  }
  [[nodiscard]] bool Held() const { return state_->held.Wait(); }
  void LetGo() const { state_->go.Open(); }

 private:
  struct State {
    Gate held;
    Gate go;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A serving supervisor on a manual clock, with a recorder, whose inside is open: it can
// be made to fail, its relay to stand still, and anything can be published.
class Inside {
 public:
  explicit Inside(SupervisorConfig config = {}, internal::Hooks hooks = {})
      : supervisor_(Make(config, hooks)), handle(supervisor_.Serve()) {}
  ~Inside() { relay_.LetGo(); }

  [[nodiscard]] internal::Runtime& runtime() { return internal::RuntimeAccess::Of(supervisor_); }
  [[nodiscard]] Supervisor& supervisor() { return supervisor_; }

  template <class Fill>
  void Publish(EventKind kind, Fill fill) {
    runtime().publisher().Emit(kind, clock->Now(), fill);
  }
  void Mark(uint64_t n) {
    Publish(kMark, [=](internal::EventDraft& e) { AsMark(e, n); });
  }
  void Mark(uint64_t first, uint64_t last) {
    for (uint64_t n = first; n <= last; ++n) Mark(n);
  }
  // The fan-out thread stands still after this, at an event that it holds.
  [[nodiscard]] bool HoldRelay() {
    Publish(kMark, [](internal::EventDraft& e) { e.WithSlot("stop"); });
    return relay_.Held();
  }
  void LetRelayGo() const { relay_.LetGo(); }
  void Flush() const { testing::Flush(handle, *recorder); }

  // The figures of the subscriber of this name.
  [[nodiscard]] SubscriberStats StatsOf(const std::string& name) const {
    for (const SubscriberStats& stats : handle.SubscriberStats()) {
      if (stats.name == name) return stats;
    }
    ADD_FAILURE() << "no subscriber " << name;
    return {};
  }

 private:
  Supervisor Make(SupervisorConfig& config, internal::Hooks& hooks) {
    if (config.clock == nullptr) config.clock = clock;
    if (config.workers == 0) config.workers = 2;
    config.subscribers.insert(config.subscribers.begin(), recorder);
    hooks.on_observe = [stop = relay_.Hook(), more = hooks.on_observe](const Event& event) {
      stop(event);
      if (more) more(event);
    };
    auto created = internal::RuntimeAccess::Create(std::move(config), std::move(hooks));
    EXPECT_TRUE(created.ok()) << created.status();
    return std::move(created).value();
  }

  const RelayStop relay_;

 public:
  const std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  const std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();

 private:
  Supervisor supervisor_;

 public:
  const SupervisorHandle handle;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_CONTRACT_INSIDE_H_
