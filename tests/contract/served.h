#ifndef TASKVISOR_TESTS_CONTRACT_SERVED_H_
#define TASKVISOR_TESTS_CONTRACT_SERVED_H_

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/harness.h"

namespace taskvisor::testing {

inline const BackoffPolicy kNoBackoff = BackoffPolicy::Constant(Duration::zero());

// A harness that serves, with the words that tests about single attempts need.
class Served : public Harness {
 public:
  explicit Served(SupervisorConfig config = {}) : Harness(std::move(config)), handle(Serve()) {}

  // Adds a task that must be accepted.
  WatchedTask Watch(TaskSpec spec) const {
    auto added = handle.AddAndWatch(std::move(spec));
    EXPECT_TRUE(added.ok()) << added.status();
    return added.ok() ? std::move(added).value() : WatchedTask{};
  }

  // The n-th event of this kind about this task, which is about to come.
  Event Await(EventKind kind, const WatchedTask& task, size_t n = 1) const {
    const auto event = recorder->Await(Recorder::Is(kind, task.id), n);
    EXPECT_TRUE(event.has_value()) << Label(kind) << " number " << n << " did not come";
    return event.value_or(Event());
  }

  // The outcome, which is about to come.
  static TaskOutcome Outcome(const WatchedTask& task) {
    const bool ready = Eventually([&] { return task.waiter.Ready(); });
    EXPECT_TRUE(ready) << "no outcome";
    if (!ready) return TaskOutcome(OutcomeKind::kRejected, "no outcome");
    auto outcome = task.waiter.Wait();
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? *outcome : TaskOutcome(OutcomeKind::kRejected, "no outcome");
  }

  // Everything this task published, once TaskRemoved has said that no more will come.
  std::vector<EventKind> Story(const WatchedTask& task) const {
    Await(EventKind::kTaskRemoved, task);
    return recorder->KindsOf(task.id);
  }
  size_t Count(EventKind kind, const WatchedTask& task) const {
    return recorder->Count(Recorder::Is(kind, task.id));
  }

  TaskPhase PhaseOf(const WatchedTask& task) const {
    for (const TaskInfo& info : handle.List()) {
      if (info.id == task.id) return info.phase;
    }
    ADD_FAILURE() << "not registered";
    return TaskPhase::kStuck;
  }

  // Whatever was ready when this was called has had its turn, if one worker serves all.
  void LetOthersRun() const {
    Outcome(Watch(TaskSpec::Once([] {})));
  }

  SupervisorHandle handle;
};

// Answers attempt n with the n-th letter: s(uccess), f(ailure), t(imed out), c(ancelled);
// fatally for any other letter and when there are no more.
inline auto Scripted(std::string letters) {
  return [letters = std::move(letters)](TaskContext& context) -> TaskResult {
    const size_t index = context.attempt() - 1;
    switch (index < letters.size() ? letters[index] : 'x') {
      case 's':
        return Ok();
      case 'f':
        return Fail("failed");
      case 't':
        return TimedOut("no answer");
      case 'c':
        return Cancelled();
      default:
        return Fatal("fatal");
    }
  };
}

// How many bodies are inside at once.
class Crowd {
 public:
  class Inside {
   public:
    explicit Inside(Crowd& crowd) : crowd_(crowd) {
      const int now = ++crowd_.now_;
      int most = crowd_.most_;
      while (most < now && !crowd_.most_.compare_exchange_weak(most, now)) {
      }
    }
    ~Inside() { --crowd_.now_; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    Crowd& crowd_;
  };

  [[nodiscard]] int now() const { return now_; }
  [[nodiscard]] int most() const { return most_; }

 private:
  std::atomic<int> now_{0};
  std::atomic<int> most_{0};
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_CONTRACT_SERVED_H_
