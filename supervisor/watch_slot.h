#ifndef TASKVISOR_SUPERVISOR_WATCH_SLOT_H_
#define TASKVISOR_SUPERVISOR_WATCH_SLOT_H_

#include <cstdint>

#include "sched/atomic.h"

namespace taskvisor::internal {

class Entry;

// WatchSlot
//
// What the watchdog sees of one seat of the pool: which attempt under a heartbeat runs
// there, and whether it has beaten. Written by the seat's worker with plain stores, no
// read-modify-write: an attempt pays some ns. Two lines, of that seat alone: the line beside
// one that is fetched comes with it, and would be taken from the other seat each time.
//
//   idle (2n) ── Enter (worker) ──▶ inside (2n + 1) ── Leave (worker) ──▶ idle (2n + 2)
//
// A reader takes the fields between two looks at `count`: the same odd number both times,
// and they belong together. Each field is stored with release and read with acquire, so
// whoever sees a field of a later attempt sees that count has moved on, too.
//
// `beat` is a flag, set by the body's threads (any number, also after a nested loop) and
// taken by the watchdog; it hands nothing over, so it is relaxed.
class alignas(2 * kCacheLine) WatchSlot {
 public:
  struct View {
    uint64_t count = 0;
    bool inside = false;  // the fields below are those of one running attempt
    Entry* entry = nullptr;
    uint64_t epoch = 0;
    int64_t start = 0;  // clock, ns
    int64_t heartbeat = 0;
  };

  // The seat's worker. REQUIRES: idle.
  void Enter(Entry& entry, uint64_t epoch, int64_t start, int64_t heartbeat) {
    entry_.store(&entry, std::memory_order_release);
    epoch_.store(epoch, std::memory_order_release);
    start_.store(start, std::memory_order_release);
    heartbeat_.store(heartbeat, std::memory_order_release);
    beat_.store(0, std::memory_order_relaxed);
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  // REQUIRES: inside.
  void Leave() {
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  // For TaskContext::Beat.
  [[nodiscard]] Atomic<uint32_t>& beat() { return beat_; }

  // The watchdog.
  [[nodiscard]] View Read() const {
    View view;
    view.count = count_.load(std::memory_order_acquire);
    view.entry = entry_.load(std::memory_order_acquire);
    view.epoch = epoch_.load(std::memory_order_acquire);
    view.start = start_.load(std::memory_order_acquire);
    view.heartbeat = heartbeat_.load(std::memory_order_acquire);
    // relaxed: the acquires above keep it behind them
    view.inside = view.count % 2 == 1 && count_.load(std::memory_order_relaxed) == view.count;
    return view;
  }
  [[nodiscard]] bool beaten() const { return beat_.load(std::memory_order_relaxed) != 0; }
  // Takes the beat of the attempt of `count`. If that has left meanwhile the beat may be
  // the next one's: it is put back.
  [[nodiscard]] bool TakeBeat(uint64_t count) {
    if (!beaten() || beat_.exchange(0, std::memory_order_acq_rel) == 0) return false;
    if (count_.load(std::memory_order_acquire) == count) return true;
    beat_.store(1, std::memory_order_relaxed);
    return false;
  }

 private:
  Atomic<uint64_t> count_{0};
  Atomic<Entry*> entry_{nullptr};
  Atomic<uint64_t> epoch_{0};
  Atomic<int64_t> start_{0};
  Atomic<int64_t> heartbeat_{0};
  Atomic<uint32_t> beat_{0};
};

#ifndef TASKVISOR_MODEL_ATOMIC
static_assert(sizeof(WatchSlot) == 2 * kCacheLine);
#endif

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_WATCH_SLOT_H_
