#ifndef TASKVISOR_SUPERVISOR_LIFECYCLE_H_
#define TASKVISOR_SUPERVISOR_LIFECYCLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sched/atomic.h"
#include "sched/event_count.h"
#include "sched/prefetch.h"

namespace taskvisor::internal {

// The gate of a supervisor and the count of what is inside.
//
//   open ── Close, or CloseIfEmpty ──▶ closed, for ever
//
// Members are those who have entered less those who have left. Who leaves counts at a
// place of its own, so that workers which end tasks do not contend with each other nor
// with who adds tasks: a worker's seat has a place, all other threads share one.
//
// Word:  | entered : 63 | closed : 1 |
//   entered  tasks registered or being added, ever. Enter and Close are changes of one word:
//            whoever entered before the gate closed is counted and will be drained, whoever
//            came later is not
// Watched: | empty : 1 | room : 1 |
//   room     somebody waits for room: the next to leave takes the bit and notifies
//   empty    somebody waits until all have left: the last one takes the bit and notifies
//
// What has left is added up before the word is read: then nobody is missed, and a sum that
// says "nobody" is true. It may count somebody who has just left.
//
// seq_cst: a store-load pair between who leaves (counts itself, then looks whether somebody
// watches) and who waits (says that it watches, then adds up). With acquire and release both
// could miss the other (the store-buffer litmus test), and a waiter would sleep for ever.
class Lifecycle {
 public:
  enum class Entered : uint8_t { kYes, kFull, kClosed };
  static constexpr size_t kOutside = 0;  // the place of who has none

  // places: of seats, beside kOutside.
  explicit Lifecycle(uint64_t max, size_t places = 0)
      : max_(max), places_(places + 1), left_(std::make_unique<Left[]>(places_)) {}

  // All `count` or none. `ordinal`: how many have entered then, with the first of these.
  [[nodiscard]] Entered Enter(uint64_t count, uint64_t* ordinal = nullptr) {
    PrefetchForWrite(&word_);  // else the line comes over twice, the first time to be read only
    uint64_t seen = word_.load(std::memory_order_acquire);
    // acquire: who enters into what another one left sees what that one did.
    uint64_t left = left_seen_.load(std::memory_order_acquire);
    while (!Closed(seen)) {
      if (Count(seen) + count <= max_ + left) {
        if (word_.compare_exchange_weak(seen, seen + count * kEnteredOne, std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
          if (ordinal != nullptr) *ordinal = Count(seen) + 1;
          return Entered::kYes;
        }
      } else if (const uint64_t now = LeftByAll(); now != left) {
        left_seen_.store(left = now, std::memory_order_release);
      } else {
        return Entered::kFull;
      }
    }
    return Entered::kClosed;
  }

  void Leave(uint64_t count) {
    left_[kOutside].count.fetch_add(count, std::memory_order_seq_cst);
    TellOfRoom();
    TellIfEmpty();
  }

  // The same for one task, at the place of a seat, 1 .. places. Who waits for emptiness is
  // not told: the caller calls TellIfEmpty before it rests.
  void LeaveAt(size_t place) {
    left_[place].count.fetch_add(1, std::memory_order_seq_cst);
    TellOfRoom();
  }
  void TellIfEmpty() {
    if ((watched_.load(std::memory_order_seq_cst) & kEmptyWatched) == 0 || members() != 0) return;
    if ((watched_.fetch_and(~kWatched, std::memory_order_acq_rel) & kWatched) != 0) {
      changed_.Notify();
    }
  }

  // True for the one that closed it. seq_cst: see ActorState::Commit.
  bool Close() {
    const uint64_t seen = word_.fetch_or(kClosed, std::memory_order_seq_cst);
    changed_.Notify();
    return !Closed(seen);
  }
  [[nodiscard]] bool CloseIfEmpty() {
    const uint64_t left = LeftByAll();
    const auto update = UpdateIf(
        word_, [=](uint64_t w) { return !Closed(w) && Count(w) == left; },
        [](uint64_t w) { return w | kClosed; });
    if (update) changed_.Notify();
    return update.done;
  }

  [[nodiscard]] bool closed() const { return Closed(word_.load(std::memory_order_seq_cst)); }
  [[nodiscard]] uint64_t members() const {
    const uint64_t left = LeftByAll();
    return Count(word_.load(std::memory_order_acquire)) - left;
  }
  [[nodiscard]] bool HasRoom(uint64_t count) const { return members() + count <= max_; }

  // Call inside the condition of a wait on changed(), before looking: Close, and the
  // Leave that may make the condition true, then notify.
  void WatchRoom() { watched_.fetch_or(kRoomWatched, std::memory_order_seq_cst); }
  void WatchEmpty() { watched_.fetch_or(kEmptyWatched, std::memory_order_seq_cst); }
  [[nodiscard]] EventCount& changed() { return changed_; }

 private:
  struct alignas(kCacheLine) Left {
    Atomic<uint64_t> count{0};
  };

  static constexpr uint64_t kClosed = 1;
  static constexpr uint64_t kEnteredOne = 2;
  static constexpr uint32_t kRoomWatched = 1;
  static constexpr uint32_t kEmptyWatched = 2;
  static constexpr uint32_t kWatched = kRoomWatched | kEmptyWatched;

  static bool Closed(uint64_t w) { return (w & kClosed) != 0; }
  static uint64_t Count(uint64_t w) { return w / kEnteredOne; }

  [[nodiscard]] uint64_t LeftByAll() const {
    uint64_t left = 0;
    for (size_t i = 0; i < places_; ++i) left += left_[i].count.load(std::memory_order_seq_cst);
    return left;
  }
  void TellOfRoom() {
    if ((watched_.load(std::memory_order_seq_cst) & kRoomWatched) == 0) return;
    if ((watched_.fetch_and(~kRoomWatched, std::memory_order_acq_rel) & kRoomWatched) != 0) {
      changed_.Notify();
    }
  }

  const uint64_t max_;
  const size_t places_;
  const std::unique_ptr<Left[]> left_;
  // Read by all who leave, written only when somebody begins to wait.
  alignas(kCacheLine) Atomic<uint32_t> watched_{0};
  // Of who enters. At least so many have left.
  alignas(kCacheLine) Atomic<uint64_t> word_{0};
  Atomic<uint64_t> left_seen_{0};
  alignas(kCacheLine) EventCount changed_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_LIFECYCLE_H_
