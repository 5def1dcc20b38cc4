#ifndef TASKVISOR_SUPERVISOR_ASYNC_ATTEMPT_H_
#define TASKVISOR_SUPERVISOR_ASYNC_ATTEMPT_H_

#include <coroutine>
#include <cstdint>
#include <optional>

#include "sched/atomic.h"
#include "sched/chunk_table.h"
#include "sched/timer.h"
#include "supervisor/attempt.h"
#include "supervisor/entry.h"
#include "supervisor/runner.h"
#include "supervisor/watch_slot.h"
#include "taskvisor/async.h"

namespace taskvisor::internal {

class TimerQueue;

// AsyncAttempt
//
// What an attempt of a coroutine body keeps outside of its frame, which is the one thing that it
// allocates: the context, which a plain body's worker has on its stack; the frame's handles; and
// the timer of a body that sleeps (the Entry's own is for the attempt's timeout). One for each
// slot of the registry that ever held such a task, recycled, never freed while the supervisor
// lives: see AsyncRoom.
//
// Also the place of an attempt whose body is over, plain or not, while its children are not
// (children.h): it has no frame then, but what the body said, and is suspended like any.
//
//              the frame is        others may
//   kRunning   the worker's, who resumes it          wake it (kDue), pin the attempt
//   kSuspended nobody's                              rouse it: a wake, a stop, a timeout
//   kWoken     nobody's, until a worker takes it     pin it, wake it (kDue)
//   kResuming  the worker's, who looks at it only    the same
//   kStalled   nobody's                              the same, or rouse it
//   kSettling  gone
//
// The frame is made in the first kRunning and destroyed in the last, by the worker that has the
// attempt then. It goes from worker to worker by the state's word: release in TrySuspend, acquire
// in TryTake, and all that rouse it between them are read-modify-writes of that word.
//
// No wake-up is lost: a leaf makes itself known to what it waits for, and then the worker suspends
// in a compare-and-swap that is refused if the word has kDue; who wakes changes what the leaf looks
// at, and then the word, always, whatever the phase. A wake-up too many costs a look.
class AsyncAttempt : private Timer {
 public:
  AsyncAttempt() : Timer(&OnFire) {}

  // kStarting; the context is made.
  void Open(Entry& entry, Clock& clock, TimerQueue& timers, const AttemptContext::Facts& facts,
            Seat& seat);
  // kRunning: a plain body that is over goes on here. `from` lets go of its node when this attempt
  // has left the worker.
  void TakeOver(Entry& entry, Clock& clock, TimerQueue& timers, const AttemptContext& from,
                Seat& seat);
  // kSettling, or before kRunning: the context is gone.
  void Close() {
    running_.reset();
    last_error.reset();  // destroys an exception of the user's, maybe
  }

  [[nodiscard]] RunningAttempt& running() { return *running_; }
  [[nodiscard]] const Entry& entry() const { return *entry_.load(std::memory_order_relaxed); }

  void Adopt(std::coroutine_handle<> root, Harvest harvest, void* place) {
    root_ = point_ = root;
    harvest_ = harvest;
    place_ = place;
  }

  // The worker in kRunning: resumes the frame until it waits for something that is not there, or
  // has ended and is gone, and no child is left (then none; `result` says how).
  using Rest = ActorState::Rest;
  [[nodiscard]] std::optional<Rest> GoOn(TaskResult& result);
  // The worker in kResuming: the frame would only be destroyed.
  [[nodiscard]] bool OnlyToDie() const;
  // Suspended: it has no frame any more, and needs no permit.
  [[nodiscard]] bool joins() const { return said_.has_value(); }
  // The worker in kRunning: GoOn has nothing to do then.
  void Destroy();

  // For the leaf, in kRunning.
  void WaitAt(Leaf& leaf, std::coroutine_handle<> point) {
    leaf_ = &leaf;
    point_ = point;
  }
  // One part of the body calls or returns to another.
  void GoOnWith(std::coroutine_handle<> point) { point_ = point; }
  void Wake();
  void SleepUntil(TimePoint until);
  void SleepNoMore();
  [[nodiscard]] Clock& clock() const { return running_->context.clock(); }
  [[nodiscard]] CancelCause Cause() const { return running_->context.Cause(); }
  // That task does not end before this attempt has: it is its own, or one whose child it is.
  [[nodiscard]] bool EndsBefore(TaskId task) const;
  void Enter(Catcher& catcher) {
    catcher.outer = catcher_;
    catcher_ = &catcher;
  }
  void Leave(const Catcher& catcher) { catcher_ = catcher.outer; }

  // The worker's, and of who is between two workers.
  Attempt attempt;
  WatchSlot* watched = nullptr;  // only in kRunning
  bool permit = false;           // it has one; in kSuspended it keeps it
  bool keep_permit = false;      // the body wants to
  KeptError last_error;          // of the attempt before; the context shows it

 private:
  static void OnFire(Timer& timer, uint64_t epoch);
  [[nodiscard]] bool Cancelled() const;

  std::optional<RunningAttempt> running_;
  std::coroutine_handle<> root_;
  std::coroutine_handle<> point_;  // goes on next, once leaf_ is ready
  Leaf* leaf_ = nullptr;           // null: it has yet to begin, or runs
  Catcher* catcher_ = nullptr;
  Harvest harvest_ = nullptr;
  void* place_ = nullptr;
  TimerQueue* timers_ = nullptr;
  std::optional<TaskResult> said_;  // by the body, while it waits for children
  // Atomic for a timer that fires late, for an attempt that is over: see OnFire.
  Atomic<Entry*> entry_{nullptr};
};

// AsyncRoom
//
// The AsyncAttempts of a supervisor, by the number of the registry's slot: made 64 at a time, when
// the first coroutine body is admitted in one of those slots.
//
// Progress: lock-free, but for malloc in Ensure.
class AsyncRoom {
 public:
  explicit AsyncRoom(uint32_t slots) : chunks_((slots + kChunk - 1) / kChunk) {}

  // Throws, and has changed nothing, if there is no memory.
  void Ensure(uint32_t slot) { chunks_.Ensure(slot / kChunk); }
  // REQUIRES: ensured.
  [[nodiscard]] AsyncAttempt& At(uint32_t slot) const {
    return chunks_.Find(slot / kChunk)->attempts[slot % kChunk];
  }

 private:
  static constexpr uint32_t kChunk = 64;
  struct Chunk {
    AsyncAttempt attempts[kChunk];
  };

  ChunkTable<Chunk> chunks_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ASYNC_ATTEMPT_H_
