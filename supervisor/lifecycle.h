#ifndef TASKVISOR_SUPERVISOR_LIFECYCLE_H_
#define TASKVISOR_SUPERVISOR_LIFECYCLE_H_

#include <cstdint>

#include "sched/atomic.h"
#include "sched/event_count.h"

namespace taskvisor::internal {

// The gate of a supervisor and the count of what is inside.
//
//   open ── Close, or CloseIfEmpty ──▶ closed, for ever
//
// Word:  | members : 61 | empty : 1 | room : 1 | closed : 1 |
//   members  tasks registered or being added; never above max
//   room     somebody waits for room: the next to leave takes the bit and notifies
//   empty    somebody waits until all have left: the last one takes the bit and notifies
//
// Enter and Close are changes of one word: whoever entered before the gate closed is
// counted and will be drained, whoever came later is not.
class Lifecycle {
 public:
  enum class Entered : uint8_t { kYes, kFull, kClosed };

  explicit Lifecycle(uint64_t max) : max_(max) {}

  // All `count` or none.
  [[nodiscard]] Entered Enter(uint64_t count) {
    const auto update = UpdateIf(
        word_, [=, this](uint64_t w) { return !Closed(w) && Members(w) + count <= max_; },
        [=](uint64_t w) { return w + count * kMemberOne; });
    if (update) return Entered::kYes;
    return Closed(update.seen) ? Entered::kClosed : Entered::kFull;
  }

  void Leave(uint64_t count) {
    const auto update = UpdateIf(
        word_, [](uint64_t) { return true; },
        [=](uint64_t w) {
          const uint64_t left = w - count * kMemberOne;
          return left & ~(Members(left) == 0 ? kWatched : kRoomWatched);
        });
    const bool last = Members(update.seen) == count;
    if ((update.seen & (last ? kWatched : kRoomWatched)) != 0) changed_.Notify();
  }

  // True for the one that closed it. seq_cst: see ActorState::Commit.
  bool Close() {
    const uint64_t seen = word_.fetch_or(kClosed, std::memory_order_seq_cst);
    changed_.Notify();
    return !Closed(seen);
  }
  [[nodiscard]] bool CloseIfEmpty() {
    const auto update = UpdateIf(
        word_, [](uint64_t w) { return !Closed(w) && Members(w) == 0; },
        [](uint64_t w) { return w | kClosed; });
    if (update) changed_.Notify();
    return update.done;
  }

  [[nodiscard]] bool closed() const { return Closed(word_.load(std::memory_order_seq_cst)); }
  [[nodiscard]] uint64_t members() const { return Members(word_.load(std::memory_order_acquire)); }
  [[nodiscard]] bool HasRoom(uint64_t count) const { return members() + count <= max_; }

  // Call inside the condition of a wait on changed(), before looking: Close, and the
  // Leave that may make the condition true, then notify.
  void WatchRoom() { word_.fetch_or(kRoomWatched, std::memory_order_acq_rel); }
  void WatchEmpty() { word_.fetch_or(kEmptyWatched, std::memory_order_acq_rel); }
  [[nodiscard]] EventCount& changed() { return changed_; }

 private:
  static constexpr uint64_t kClosed = 1;
  static constexpr uint64_t kRoomWatched = 2;
  static constexpr uint64_t kEmptyWatched = 4;
  static constexpr uint64_t kWatched = kRoomWatched | kEmptyWatched;
  static constexpr uint64_t kMemberOne = 8;

  static bool Closed(uint64_t w) { return (w & kClosed) != 0; }
  static uint64_t Members(uint64_t w) { return w / kMemberOne; }

  const uint64_t max_;
  alignas(kCacheLine) Atomic<uint64_t> word_{0};
  EventCount changed_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_LIFECYCLE_H_
