#ifndef TASKVISOR_TESTS_SUPPORT_RECORDER_H_
#define TASKVISOR_TESTS_SUPPORT_RECORDER_H_

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "taskvisor/subscriber.h"
#include "tests/support/gate.h"

namespace taskvisor::testing {

// A subscriber that remembers every event, for a test to wait for and to judge.
class Recorder : public Subscriber {
 public:
  explicit Recorder(std::string name = "recorder", size_t capacity = 1 << 14)
      : name_(std::move(name)), capacity_(capacity) {}

  void OnEvent(const Event& event) override {
    std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }
  std::string_view Name() const override { return name_; }
  size_t QueueCapacity() const override { return capacity_; }

  using Match = std::function<bool(const Event&)>;

  static Match Is(EventKind kind) {
    return [=](const Event& e) { return e.kind() == kind; };
  }
  static Match Is(EventKind kind, TaskId id) {
    return [=](const Event& e) { return e.kind() == kind && e.id() == id; };
  }
  static Match Is(EventKind kind, std::string task) {
    return [=](const Event& e) { return e.kind() == kind && e.task() == task; };
  }

  // The n-th event that matches (from 1), waiting for it; nothing after kPatience.
  std::optional<Event> Await(const Match& match, size_t n = 1) {
    std::unique_lock lock(mutex_);
    std::optional<Event> found;
    changed_.wait_for(lock, kPatience, [&] { return (found = Find(match, n)).has_value(); });
    return found;
  }

  // What has arrived so far.
  std::vector<Event> Events() {
    std::lock_guard lock(mutex_);
    return events_;
  }
  std::vector<Event> Events(const Match& match) {
    std::vector<Event> all = Events();
    std::erase_if(all, [&](const Event& e) { return !match(e); });
    return all;
  }
  size_t Count(const Match& match) { return Events(match).size(); }
  // The kinds of the events of one task, in order.
  std::vector<EventKind> KindsOf(TaskId id) {
    std::vector<EventKind> kinds;
    for (const Event& e : Events()) {
      if (e.id() == id) kinds.push_back(e.kind());
    }
    return kinds;
  }

 private:
  std::optional<Event> Find(const Match& match, size_t n) const {
    for (const Event& e : events_) {
      if (match(e) && --n == 0) return e;
    }
    return std::nullopt;
  }

  const std::string name_;
  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_RECORDER_H_
