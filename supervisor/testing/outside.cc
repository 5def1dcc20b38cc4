#include "supervisor/testing/outside.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "sched/futex.h"

namespace taskvisor::internal {
namespace {

constexpr std::chrono::seconds kPatience{2};  // real time
constexpr Duration kLongestWait = std::chrono::hours(24) * 366 * 100;
// While no time passes.
constexpr uint64_t kMostStepsAtOnce = 100'000;
constexpr uint64_t kMostStepsOfATask = 20;

}  // namespace

constinit thread_local Outside* Outside::t_outside = nullptr;

// The steps that may follow each other while no time passes. Tasks that come meanwhile add their
// share, so that a great many of them are still one moment.
class Outside::Budget {
 public:
  explicit Budget(const std::vector<FiberExecutor*>& executors) : executors_(executors) {
    for (const FiberExecutor* executor : executors_) {
      const auto [registered, ever] = executor->tasks();
      before_ += ever - registered;
    }
  }

  [[nodiscard]] bool Spent() { return steps_ >= most_ && steps_ >= (most_ = Most()); }
  void Count() { ++steps_; }
  [[nodiscard]] uint64_t steps() const { return steps_; }

 private:
  [[nodiscard]] uint64_t Most() const {
    uint64_t tasks = 0;
    for (const FiberExecutor* executor : executors_) tasks += executor->tasks().ever;
    return std::min(kMostStepsAtOnce + kMostStepsOfATask * (tasks - before_), kMostSteps);
  }

  const std::vector<FiberExecutor*>& executors_;
  uint64_t before_ = 0;  // tasks that had gone before
  uint64_t steps_ = 0;
  uint64_t most_ = kMostStepsAtOnce;
};

void Outside::Enter(FiberExecutor& executor) {
  if (t_outside == nullptr) {
    t_outside = new Outside();
    if (Waits::Exchange(t_outside) != nullptr) {
      StopSimulation("a simulation is made on a thread that is one already");
    }
  }
  if (Waits::Here() != t_outside) StopSimulation("a simulation is made inside of another one");
  t_outside->executors_.push_back(&executor);
}

void Outside::Leave(FiberExecutor& executor) {
  std::erase(t_outside->executors_, &executor);
  if (!t_outside->executors_.empty()) return;
  Waits::Exchange(nullptr);
  delete std::exchange(t_outside, nullptr);
}

bool Outside::RunReady() {
  for (Budget budget(executors_); !budget.Spent(); budget.Count()) {
    if (!Step()) return true;
  }
  return false;
}

bool Outside::Step() {
  bool any = false;
  for (FiberExecutor* const executor : executors_) any = executor->Step() || any;
  return any;
}

bool Outside::Reached(const Clock* clock, TimePoint until) const {
  return std::any_of(executors_.begin(), executors_.end(), [=](const FiberExecutor* executor) {
    return executor->IsClock(clock) && executor->Now() >= until;
  });
}

// Time passes on one of them, to the next point that somebody waits for. False: nobody does.
bool Outside::MoveOn(const Clock* clock, TimePoint until) {
  FiberExecutor* first = nullptr;
  TimePoint next = TimePoint::max();
  for (FiberExecutor* const executor : executors_) {
    TimePoint its = executor->NextTime().value_or(TimePoint::max());
    if (executor->IsClock(clock)) its = std::min(its, until);
    if (its >= next) continue;
    first = executor;
    next = its;
  }
  if (first == nullptr) return false;
  first->MoveTo(std::max(next, first->Now()));
  return true;
}

bool Outside::IsOwn(const Clock* clock) const {
  return std::any_of(executors_.begin(), executors_.end(),
                     [=](const FiberExecutor* executor) { return executor->IsClock(clock); });
}

std::string Outside::Describe() const {
  std::string who;
  for (const FiberExecutor* executor : executors_) who += executor->Describe();
  return who;
}

void Outside::Park(Atomic<uint32_t>& word, uint32_t expected, const Clock* clock, TimePoint until) {
  std::vector<TimePoint> began;
  for (const FiberExecutor* executor : executors_) began.push_back(executor->Now());
  const bool ends = IsOwn(clock) && until != TimePoint::max();
  uint64_t steps = 0;
  while (true) {
    bool quiet = false;
    Budget budget(executors_);
    while (!quiet && !budget.Spent()) {
      if (word.load(std::memory_order_acquire) != expected) return;
      quiet = !Step();
      budget.Count();
    }
    if (word.load(std::memory_order_acquire) != expected || Reached(clock, until)) return;
    if (!MoveOn(clock, until) && quiet) return WaitForOthers(word, expected, clock);
    steps += budget.steps();
    if (!ends && steps > kMostSteps) {
      StopSimulation(
          "a test waits for what has not come in twenty million steps; here is who is "
          "there:",
          Describe());
    }
    for (size_t i = 0; i < executors_.size(); ++i) {
      if (executors_[i]->Now() - began[i] < kLongestWait) continue;
      StopSimulation("a test waits for more than a hundred virtual years; here is who is there:",
                     executors_[i]->Describe());
    }
  }
}

void Outside::WaitForOthers(Atomic<uint32_t>& word, uint32_t expected, const Clock* clock) const {
  using std::chrono::steady_clock;
  const bool own = IsOwn(clock);
  auto until =
      own || clock == nullptr ? steady_clock::now() + kPatience : steady_clock::time_point::max();
  while (word.load(std::memory_order_acquire) == expected) {
    FutexWait(word, expected, until);  // may return early
    if (steady_clock::now() < until || word.load(std::memory_order_acquire) != expected) continue;
    if (own) {
      StopSimulation(
          "a test waits for what can never come: nobody can go on, and nobody waits for a "
          "point in time; here is who is there:",
          Describe());
    }
    std::fprintf(stderr,
                 "taskvisor: simulation: a test waits for something else, while nobody can go on; "
                 "here is who is there:\n%s",
                 Describe().c_str());
    until = steady_clock::time_point::max();
  }
}

void Outside::GiveWay() {
  if (!Step()) std::this_thread::yield();
}

}  // namespace taskvisor::internal
