#include "supervisor/set_aside.h"

#include <chrono>

#include "sched/timed_wait.h"
#include "sched/timer_queue.h"
#include "supervisor/actor.h"
#include "supervisor/registry.h"

namespace taskvisor::internal {
namespace {

// On a clock that somebody has to move there is none: the timer thread is at it until there
// is memory.
constexpr std::chrono::milliseconds kPause{2};

}  // namespace

SetAside::SetAside(TimerQueue& timers, const Registry& registry, Actor& actor, Pool& pool)
    : Timer([](Timer& timer, uint64_t) { static_cast<SetAside&>(timer).Look(); }),
      timers_(timers),
      registry_(registry),
      actor_(actor) {
  pool.SetKeeper(*this);
}

void SetAside::Put(Entry& entry) noexcept {
  entry.marks.fetch_or(Entry::kSetAside, std::memory_order_release);  // pairs with Look's
  if (due_.exchange(true, std::memory_order_acq_rel)) return;
  ArmLook();  // only one at a time: `due_` was clear, so the last one has fired
}

void SetAside::ArmLook() noexcept {
  const Clock& clock = timers_.clock();
  const Duration pause = clock.RunsByItself() ? Duration(kPause) : Duration::zero();
  timers_.Arm(*this, SaturatingAdd(clock.Now(), pause), /*tag=*/0);
}

void SetAside::Look() {
  static_cast<void>(due_.exchange(false, std::memory_order_acq_rel));
  registry_.ForEach([this](Entry& entry, Snapshot) {
    // The load alone leaves the line shared: most are not marked.
    constexpr uint8_t kMark = Entry::kSetAside;
    if ((entry.marks.load(std::memory_order_relaxed) & kMark) == 0) return;
    constexpr auto kRest = static_cast<uint8_t>(~kMark);
    if ((entry.marks.fetch_and(kRest, std::memory_order_acq_rel) & kMark) != 0) {
      actor_.TakeUp(entry);
    }
  });
}

}  // namespace taskvisor::internal
