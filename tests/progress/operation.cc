#include "tests/progress/operation.h"

#include <gtest/gtest.h>

#include <chrono>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

// A stopped worker keeps what it has taken, or is about to take, from the ready queue: one
// thing each, whosever it is. Nobody waits for the last of what he made ready.
constexpr size_t kHeld = 2;
constexpr size_t kOutstanding = 16;

class AddOperation final : public Operation {
 public:
  explicit AddOperation(World& world) : world_(world) {}
  void Prepare() override { spec_.emplace(TaskSpec::Once(world_.Body(1))); }
  void Do() override { EXPECT_TRUE(world_.handle().Add(std::move(*spec_)).ok()); }

 private:
  World& world_;
  std::optional<TaskSpec> spec_;
};

class TryAddOperation final : public Operation {
 public:
  TryAddOperation(World& world, std::string thread) : world_(world), thread_(std::move(thread)) {}
  void Prepare() override {
    spec_.emplace(TaskSpec::FromDefaults(thread_ + "-" + std::to_string(number_++), world_.Body(3))
                      .WithRestart(RestartPolicy::AlwaysImmediately())
                      .WithTimeout(hours(1)));
  }
  void Do() override {
    auto added = world_.handle().TryAddAndWatch(std::move(*spec_));
    if (added.ok()) waiters_.push_back(std::move(added->waiter));  // else no room now
  }
  void Settle() override { AwaitEnds(kOutstanding); }
  void SettleAll() override { AwaitEnds(kHeld); }

 private:
  void AwaitEnds(size_t outstanding) {
    while (waiters_.size() > outstanding) {
      const size_t ended = std::erase_if(waiters_, [](const TaskWaiter& w) { return w.Ready(); });
      for (size_t i = 0; i < ended; ++i) world_.Count(Kind::kEnd);
      if (ended == 0) std::this_thread::yield();
    }
  }

  World& world_;
  const std::string thread_;
  uint64_t number_ = 0;
  std::optional<TaskSpec> spec_;
  std::vector<TaskWaiter> waiters_;
};

// Where the task is by then depends on the workers: any phase.
class RemoveOperation final : public Operation {
 public:
  explicit RemoveOperation(World& world) : world_(world) {}
  void Prepare() override {
    id_ = *world_.handle().Add(TaskSpec::Periodic(hours(1), world_.Body(2)));
  }
  void Do() override { EXPECT_EQ(world_.handle().Remove(id_).value_or(false), true); }

 private:
  World& world_;
  TaskId id_;
};

class RemoveRunningOperation final : public Operation {
 public:
  explicit RemoveRunningOperation(World& world) : world_(world) {}
  void Prepare() override {
    begun_.store(false);
    id_ = *world_.handle().Add(TaskSpec::Once([this](TaskContext& context) {
      Freezer::Leave();
      begun_.store(true);
      while (!context.Cancelled()) std::this_thread::yield();
    }));
    while (!begun_.load()) std::this_thread::yield();
  }
  void Do() override { EXPECT_EQ(world_.handle().Remove(id_).value_or(false), true); }

 private:
  World& world_;
  std::atomic<bool> begun_{false};
  TaskId id_;
};

class PublishOperation final : public Operation {
 public:
  explicit PublishOperation(World& world) : world_(world) {}
  void Do() override {
    internal::Publisher& publisher = world_.runtime().publisher();
    const WallTime at = publisher.WallAt(world_.runtime().clock().Now());
    const auto draft = [&](EventKind kind) {
      return internal::DraftOf(TaskId(7, 7), "a name of some length, and more than fits in", kind,
                               at);
    };
    publisher.EmitRun(draft(EventKind::kTaskFailed).WithReason("a reason"),
                      draft(EventKind::kTaskRemoved));
  }

 private:
  World& world_;
};

class ReadyOperation final : public Operation {
 public:
  explicit ReadyOperation(World& world) : world_(world) {}
  ~ReadyOperation() override { AwaitRuns(0); }
  void Do() override {
    ++submitted_;
    world_.runtime().pool().Submit(work_);
  }
  void Settle() override { AwaitRuns(kOutstanding); }
  void SettleAll() override { AwaitRuns(kHeld); }

 private:
  struct Work final : internal::Runnable {
    void Run(internal::Seat&) noexcept override { runs.fetch_add(1); }
    std::atomic<uint64_t> runs{0};
  };

  void AwaitRuns(uint64_t outstanding) {
    while (submitted_ - work_.runs.load() > outstanding) std::this_thread::yield();
  }

  World& world_;
  Work work_;
  uint64_t submitted_ = 0;
};

class PermitOperation final : public Operation {
 public:
  explicit PermitOperation(World& world) : permits_(world.permits()) {}
  void Do() override {
    if (!permits_.TryAcquire()) {
      grant_.store(false);
      Offer(permits_.Park(&grant_));
      while (!grant_.load()) std::this_thread::yield();  // until another gives one back
    }
    Offer(permits_.Release());
  }

 private:
  static void Offer(std::optional<Grant*> ticket) {
    if (ticket.has_value()) (*ticket)->store(true);
  }

  internal::Permits<Grant*>& permits_;
  Grant grant_{false};
};

// Two timers by turns: one is due soon, so that the timer thread empties its inbox, one is
// not. They outlive the thread: a queue keeps what it was given.
class TimerOperation final : public Operation {
 public:
  TimerOperation(World& world, bool arm) : queue_(world.runtime().timers()), arm_(arm) {}
  void Prepare() override {
    turn_ = (turn_ + 1) % 2;
    if (!arm_) Arm();
  }
  void Do() override { arm_ ? Arm() : Cancel(); }
  void Settle() override {
    if (arm_) Cancel();
  }

 private:
  struct Pair {
    static void Nothing(internal::Timer&, uint64_t) {}
    internal::Timer timers[2] = {internal::Timer(&Nothing), internal::Timer(&Nothing)};
  };

  void Arm() {
    const TimePoint now = queue_.clock().Now();
    queue_.Arm(pair_.timers[turn_], turn_ == 0 ? now + microseconds(300) : now + hours(1), 0);
  }
  void Cancel() { static_cast<void>(queue_.Cancel(pair_.timers[turn_])); }

  static Pair& NewPair() {
    static std::list<Pair> pairs;
    static std::mutex mutex;
    std::lock_guard lock(mutex);
    return pairs.emplace_back();
  }

  internal::TimerQueue& queue_;
  const bool arm_;
  Pair& pair_ = NewPair();
  size_t turn_ = 0;
};

}  // namespace

std::unique_ptr<Operation> MakeOperation(Kind kind, World& world, const std::string& thread) {
  switch (kind) {
    case Kind::kAdd:
      return std::make_unique<AddOperation>(world);
    case Kind::kTryAdd:
      return std::make_unique<TryAddOperation>(world, thread);
    case Kind::kRemove:
      return std::make_unique<RemoveOperation>(world);
    case Kind::kRemoveRunning:
      return std::make_unique<RemoveRunningOperation>(world);
    case Kind::kPublish:
      return std::make_unique<PublishOperation>(world);
    case Kind::kReady:
      return std::make_unique<ReadyOperation>(world);
    case Kind::kPermit:
      return std::make_unique<PermitOperation>(world);
    case Kind::kArm:
    case Kind::kCancel:
      return std::make_unique<TimerOperation>(world, kind == Kind::kArm);
    case Kind::kRepeat:
    case Kind::kEnd:
      break;
  }
  return nullptr;
}

}  // namespace taskvisor::testing
