#include "supervisor/testing/outside.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "sched/futex.h"

namespace taskvisor::internal {
namespace {

constexpr std::chrono::seconds kPatience{2};  // real time
constexpr Duration kLongestWait = std::chrono::hours(24) * 366 * 100;
constexpr uint64_t kMostStepsAtOnce = 100'000;

}  // namespace

Outside& Outside::OfThread() {
  static thread_local Outside outside;
  return outside;
}

void Outside::Enter(FiberExecutor& executor) {
  Outside& outside = OfThread();
  if (outside.executors_.empty() && Waits::Exchange(&outside) != nullptr) {
    StopSimulation("a simulation is made on a thread that is one already");
  }
  if (Waits::Here() != &outside) StopSimulation("a simulation is made inside of another one");
  outside.executors_.push_back(&executor);
}

void Outside::Leave(FiberExecutor& executor) {
  Outside& outside = OfThread();
  std::erase(outside.executors_, &executor);
  if (outside.executors_.empty()) Waits::Exchange(nullptr);
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

void Outside::Park(Atomic<uint32_t>& word, uint32_t expected, const Clock* clock, TimePoint until) {
  std::vector<TimePoint> began;
  for (const FiberExecutor* executor : executors_) began.push_back(executor->Now());
  uint64_t steps = 0;
  while (word.load(std::memory_order_acquire) == expected) {
    if (steps < kMostStepsAtOnce && Step()) {
      ++steps;
      continue;
    }
    if (Reached(clock, until)) return;
    if (!MoveOn(clock, until) && steps == 0) return WaitForOthers(word, expected);
    steps = 0;
    for (size_t i = 0; i < executors_.size(); ++i) {
      if (executors_[i]->Now() - began[i] < kLongestWait) continue;
      StopSimulation("a test waits for more than a hundred virtual years; here is who is there:",
                     executors_[i]->Describe());
    }
  }
}

void Outside::WaitForOthers(Atomic<uint32_t>& word, uint32_t expected) const {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until) {
    FutexWait(word, expected, until);  // may return early
    if (word.load(std::memory_order_acquire) != expected) return;
  }
  std::string who;
  for (const FiberExecutor* executor : executors_) who += executor->Describe();
  StopSimulation(
      "a test waits for what can never come: nobody can go on, and nobody waits for a "
      "point in time; here is who is there:",
      who);
}

void Outside::GiveWay() {
  if (!Step()) std::this_thread::yield();
}

}  // namespace taskvisor::internal
