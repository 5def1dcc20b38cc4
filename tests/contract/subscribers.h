#ifndef TASKVISOR_TESTS_CONTRACT_SUBSCRIBERS_H_
#define TASKVISOR_TESTS_CONTRACT_SUBSCRIBERS_H_

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "taskvisor/subscriber.h"
#include "tests/support/gate.h"

namespace taskvisor::testing {

// Calls a function.
class Listener : public Subscriber {
 public:
  using Callback = std::function<void(const Event&)>;

  Listener(std::string name, Callback callback, EventMask interests = EventMask::All())
      : name_(std::move(name)), callback_(std::move(callback)), interests_(interests) {}

  void OnEvent(const Event& event) override { callback_(event); }
  std::string_view Name() const override { return name_; }
  EventMask Interests() const override { return interests_; }

 private:
  const std::string name_;
  const Callback callback_;
  const EventMask interests_;
};

// Its callback does not return until the test lets it go; then it takes what comes.
class HeldSubscriber : public Subscriber {
 public:
  HeldSubscriber(std::string name, size_t capacity, EventMask interests)
      : name_(std::move(name)), capacity_(capacity), interests_(interests) {}

  void OnEvent(const Event& event) override {
    {
      std::lock_guard lock(mutex_);
      events_.push_back(event);
    }
    inside_.Open();
    released_.Pass();
  }
  std::string_view Name() const override { return name_; }
  size_t QueueCapacity() const override { return capacity_; }
  EventMask Interests() const override { return interests_; }

  [[nodiscard]] bool Inside() { return inside_.Wait(); }
  void LetGo() { released_.Open(); }
  // The events it was called with, the one it is held at included.
  [[nodiscard]] std::vector<Event> Events() {
    std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  const std::string name_;
  const size_t capacity_;
  const EventMask interests_;
  Gate inside_;
  Gate released_;
  std::mutex mutex_;
  std::vector<Event> events_;
};

// Lets subscribers go when a test leaves, so that a failing one still ends. Make it
// after the supervisor.
class LetGoAtEnd {
 public:
  explicit LetGoAtEnd(std::vector<std::shared_ptr<HeldSubscriber>> held) : held_(std::move(held)) {}
  LetGoAtEnd(const LetGoAtEnd&) = delete;
  LetGoAtEnd& operator=(const LetGoAtEnd&) = delete;
  ~LetGoAtEnd() {
    for (const auto& subscriber : held_) subscriber->LetGo();
  }

 private:
  const std::vector<std::shared_ptr<HeldSubscriber>> held_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_CONTRACT_SUBSCRIBERS_H_
