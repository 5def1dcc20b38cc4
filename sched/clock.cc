#include "taskvisor/clock.h"

#include <map>
#include <mutex>
#include <utility>

namespace taskvisor {
namespace {

constexpr int64_t kResampleAfter = 1'000'000'000;  // ns
constexpr int64_t kManualStart = 86'400'000'000'000;
constexpr int64_t kManualWallStart = 946'684'800'000'000'000;  // 2000-01-01T00:00:00Z

class SteadyClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }

  WallTime WallAt(TimePoint reading) const override {
    const int64_t now = reading.time_since_epoch().count();
    // relaxed: offset and sample time are independent hints; a mix of an old and a
    // new one is at worst one second old.
    if (now - sampled_at_.load(std::memory_order_relaxed) > kResampleAfter) {
      const int64_t wall = std::chrono::system_clock::now().time_since_epoch() / Duration(1);
      const int64_t steady = std::chrono::steady_clock::now().time_since_epoch() / Duration(1);
      offset_.store(wall - steady, std::memory_order_relaxed);
      sampled_at_.store(steady, std::memory_order_relaxed);
    }
    return WallTime(Duration(now + offset_.load(std::memory_order_relaxed)));
  }

  bool RunsByItself() const override { return true; }
  void Watch(const void*, std::function<void()>) override {}
  void Unwatch(const void*) override {}

 private:
  mutable std::atomic<int64_t> offset_{0};
  mutable std::atomic<int64_t> sampled_at_{-kResampleAfter * 2};
};

}  // namespace

std::shared_ptr<Clock> RealClock() {
  // Never destroyed: bodies that outlive `main` may still ask for the time. So it needs no
  // count either, whose line all tasks would share: an alias of nothing.
  static auto* const clock = new SteadyClock();
  return {std::shared_ptr<Clock>(), clock};
}

// A lock is fine here: a manual clock is moved by tests, and read without it.
struct ManualClock::Watchers {
  std::mutex mutex;
  std::map<const void*, std::function<void()>> moved;
};

ManualClock::ManualClock() : now_(kManualStart), watchers_(std::make_unique<Watchers>()) {}
ManualClock::~ManualClock() = default;

TimePoint ManualClock::Now() const {
  // acquire: pairs with the release in Advance, so that what the test did before it
  // moved time is visible to who reads the new time.
  return TimePoint(Duration(now_.load(std::memory_order_acquire)));
}

WallTime ManualClock::WallAt(TimePoint reading) const {
  return WallTime(Duration(kManualWallStart + reading.time_since_epoch().count() - kManualStart));
}

void ManualClock::Watch(const void* key, std::function<void()> moved) {
  std::lock_guard lock(watchers_->mutex);
  watchers_->moved[key] = std::move(moved);
}

void ManualClock::Unwatch(const void* key) {
  std::lock_guard lock(watchers_->mutex);
  watchers_->moved.erase(key);
}

void ManualClock::Advance(Duration step) {
  if (step > Duration::zero()) now_.fetch_add(step.count(), std::memory_order_acq_rel);
  std::lock_guard lock(watchers_->mutex);
  for (auto& [key, moved] : watchers_->moved) moved();
}

}  // namespace taskvisor
