#ifndef TASKVISOR_SUPERVISOR_ACTOR_STATE_H_
#define TASKVISOR_SUPERVISOR_ACTOR_STATE_H_

#include <cstdint>

#include "sched/atomic.h"
#include "sched/executor.h"
#include "supervisor/actor_word.h"

namespace taskvisor::internal {

// The life of a registry slot and of the task in it, in one word.
//
//           Reserve           Commit         TryTake             TryBegin
//   kFree ──────────▶ kReserved ─────▶ kQueued ──────▶ kStarting ─────────▶ kRunning
//                                       ▲ ▲ ▲              │ TryPark           │ Settle:
//                              TryGrant │ │ │              ▼                   │ the body
//                                       │ │ └────────── kWaiting               │ is back
//                                       │ │   TryWake                          ▼
//                                       │ └──────────── kDelaying ◀──────── kSettling
//                                       │   (kStarting to it too, if stopped)  │
//                                       └─────────────────────────────────────┘ TryRequeue
//
//   stop, or the end, from each of them:   ... ──▶ kFinishing ── Release ──▶ kFree
//
// A body that is a coroutine may leave its worker in the middle of its attempt, and comes back to
// any; a stop or a timeout rouses it as a wake does, and its attempt ends in kRunning as any other:
//
//             TrySuspend               Wake, or roused
//   kRunning ────────────▶ kSuspended ────────────────▶ kWoken ─── TryTake ──▶ kResuming ─┐
//    ▲    └───────────────────────────────────────────▶  ▲                       │        │
//    │                (it only yields)          TryGrant │                       │        │
//    │                                         or roused └── kStalled ◀──────────┘        │
//    │                                                                  TryStall          │
//    └────────────────────────────────── TryResume ───────────────────────────────────────┘
//
// So does an attempt whose body is over and whose children are not (children.h): it is suspended,
// with no body, as often as it is roused; the last child wakes it.
//
// Who owns the slot's plain fields (rules, body, streak, ...):
//   kFree        nobody; Slab::Allocate gives the slot to one thread
//   kReserved    the thread that adds
//   kQueued      whoever takes it out: a worker or a stopper
//   kStarting    the worker
//   kWaiting     whoever takes it out: the giver of a permit or a stopper
//   kRunning     the worker; others that hold a pin may use what is marked so
//   kSettling    the worker
//   kDelaying    whoever takes it out: the timer thread or a stopper
//   kFinishing   the thread that moved it here, until Release
//   kSuspended   nobody; whoever moves it on submits it
//   kWoken       whoever takes it out, a worker
//   kResuming    the worker
//   kStalled     whoever takes it out: the giver of a permit, or who rouses it
//
// Word:  | epoch : 40 | silent : 1 | cut : 1 | pins : 6 | cause : 4 | flags : 8 | phase : 4 |
//   epoch   + 1 with every attempt and every release: a timer, a ticket or a stale id
//           that carries an old epoch is refused inside the compare-and-swap
//   pins    threads that act on the running attempt from outside (stop, timeout,
//           abandonment). Settle waits for them, so an attempt outlives its pins
//   cause   of the stop, a CancelCause; 0 while kStop is not set
//   silent  a flag as the others: TaskStuck is out, TaskRecovered is not
//   cut     a flag as the others: a child has failed, and takes the attempt with it
//
// Timers are armed by the owner before the phase they serve (kStarting for kRunning's
// timeout, kSettling for kDelaying), because in the phase itself others may take the
// slot away. One that fires before the phase has come leaves kDue for its owner. So does a wake
// of a body that is not suspended: kDue is "look again, before you suspend".
// What a request to stop found, and what the requester owes.
enum class StopResult : uint8_t {
  kRefused,  // not that task any more, or it finishes already: nothing
  kAlready,  // stopped before: nothing
  kTaken,    // it was at rest and is kFinishing now: the caller finishes it
  kPinned,   // its body was begun: the caller tells the attempt, then Unpin; Submit, if Dormant
  kNoted,    // between two phases: its owner will see the flag
};

class ActorState {
 public:
  [[nodiscard]] Snapshot Load() const { return {word_.load(std::memory_order_acquire)}; }

  // Owner of a free slot. Nobody else moves a free slot: a store will do. relaxed: the slab
  // has handed the slot over. release: what the last task left is seen before the new one.
  void Reserve() {
    const Snapshot free{word_.load(std::memory_order_relaxed)};
    word_.store(free.In(Phase::kReserved).word, std::memory_order_release);
  }

  // The adding thread, with everything in place: kQueued, the caller submits it. If it
  // was stopped meanwhile (then the result says so): kFinishing, the caller finishes it.
  //
  // seq_cst: one half of a store-load pair. The adder writes this word and then reads
  // the gate; a shutdown closes the gate and then reads this word. With acq_rel both
  // could read the old value (the store-buffer litmus test), and a task would run on
  // after a shutdown that never saw it.
  [[nodiscard]] Snapshot Commit() {
    uint64_t seen = word_.load(std::memory_order_acquire);
    uint64_t next = 0;
    do {
      const Snapshot s{seen};
      next = s.In(s.stopped() ? Phase::kFinishing : Phase::kQueued).With(kCommitted).word;
    } while (!word_.compare_exchange_weak(seen, next, std::memory_order_seq_cst,
                                          std::memory_order_acquire));
    return {seen};
  }
  // The other half, for the shutdown's scan.
  [[nodiscard]] Snapshot LoadForScan() const { return {word_.load(std::memory_order_seq_cst)}; }

  // The adding thread takes its reservation back: kFinishing, then Release.
  void Withdraw() {
    static_cast<void>(
        Move([](Snapshot) { return true; }, [](Snapshot s) { return s.In(Phase::kFinishing); }));
  }

  // Worker with a popped slot. Refused: not queued any more, a leftover queue item.
  // Taken: `seen` says whether it has a permit, and whether it was kQueued or kWoken.
  [[nodiscard]] Update<uint64_t> TryTake() {
    return Move([](Snapshot s) { return s.Is(Phase::kQueued) || s.Is(Phase::kWoken); },
                [](Snapshot s) {
                  return s.In(s.Is(Phase::kQueued) ? Phase::kStarting : Phase::kResuming);
                });
  }

  // Worker with a permit (or no limit). Refused: stopped meanwhile; it settles.
  // `seen` says whether the timeout was due() at once.
  [[nodiscard]] Update<uint64_t> TryBegin() {
    return Move([](Snapshot s) { return !s.stopped(); },
                [](Snapshot s) {
                  return Snapshot{s.Without(kPermit | kDue).In(Phase::kRunning).word + kEpochOne};
                });
  }

  // Worker that found no permit; it then parks a ticket of this epoch. False: stopped
  // meanwhile; it finishes.
  [[nodiscard]] bool TryPark() { return MoveUnstopped(Phase::kWaiting); }

  // Who offers a permit to a ticket. True: it has it, and the caller submits it.
  [[nodiscard]] bool TryGrant(uint64_t epoch) {
    return Move(
               [=](Snapshot s) {
                 return (s.Is(Phase::kWaiting) || s.Is(Phase::kStalled)) && s.epoch() == epoch;
               },
               [](Snapshot s) {
                 return s.In(s.Is(Phase::kWaiting) ? Phase::kQueued : Phase::kWoken).With(kPermit);
               })
        .done;
  }

  // What a worker leaves when it suspends an attempt.
  enum class Rest : uint8_t {
    kWaits,   // a body
    kYields,  // a body that goes on after the next turn: the worker submits it
    kJoins,   // no body any more, but children: cancelled or not, it waits for them
  };
  // Refused: `seen` is silent, or it was woken meanwhile, or (a body) cancelled. Waits for pins:
  // their holders may be at the worker's seat, or be about to tell its silence. Of an attempt that
  // was given up nobody tells that it is no longer silent: that is forgotten.
  [[nodiscard]] Update<uint64_t> TrySuspend(Rest rest, bool keeps_permit) {
    const uint64_t roused = kDue | (rest == Rest::kJoins ? 0 : kCancelledMask);
    const bool yields = rest == Rest::kYields;
    while (true) {
      const auto update = Move(
          [=](Snapshot s) {
            const bool to_tell = s.silent() && !s.abandoned();
            return !s.pinned() && (s.word & roused) == 0 && !to_tell;
          },
          [=](Snapshot s) {
            return s.In(yields ? Phase::kWoken : Phase::kSuspended)
                .With(keeps_permit ? kPermit : 0)
                .Without(kSilent);
          });
      const Snapshot seen{update.seen};
      if (update || (seen.word & roused) != 0 || !seen.pinned()) return update;
      GiveWay();
    }
  }
  // Worker that was refused, before it looks again.
  void TakeWake() { word_.fetch_and(~kDue, std::memory_order_acq_rel); }

  // What the body of the attempt of `epoch` waits for may be there. Always a change of the word
  // while that attempt lasts, so that its worker sees what came before. True: the caller submits.
  [[nodiscard]] bool Wake(uint64_t epoch) {
    const auto update = Move(
        [=](Snapshot s) { return s.InAttempt() && s.epoch() == epoch; },
        [](Snapshot s) { return s.Is(Phase::kSuspended) ? s.In(Phase::kWoken) : s.With(kDue); });
    return update && Snapshot{update.seen}.Is(Phase::kSuspended);
  }

  // Worker in kResuming that found no permit; it then parks a ticket. False: cancelled since
  // `judged`.
  [[nodiscard]] bool TryStall(Snapshot judged) {
    return Move([=](Snapshot s) { return s.cancelled() == judged.cancelled(); },
                [](Snapshot s) { return s.In(Phase::kStalled); })
        .done;
  }
  // Worker in kResuming, with a permit or with a body that is only to be destroyed. The result
  // says whether it was cancelled before.
  [[nodiscard]] Snapshot TryResume() {
    return {Move([](Snapshot) { return true; },
                 [](Snapshot s) { return s.In(Phase::kRunning).Without(kPermit | kDue); })
                .seen};
  }

  // The running attempt got a CancelNode. The result tells whether the attempt was
  // cancelled before (then the caller tells the node; nobody else will).
  [[nodiscard]] Snapshot MarkScoped() {
    return {word_.fetch_or(kScoped, std::memory_order_acq_rel)};
  }

  // At the deadline of the attempt of `epoch`. Done: it timed out, the caller holds a
  // pin (if `seen` was InAttempt) or has left kDue for the worker (if kStarting). If `seen` was
  // Dormant the caller submits.
  [[nodiscard]] Update<uint64_t> TryTimeOut(uint64_t epoch) {
    return Move(
        [=](Snapshot s) {
          if (s.Is(Phase::kStarting)) return s.epoch() + 1 == epoch;
          return s.InAttempt() && s.epoch() == epoch && !s.cancelled();
        },
        [](Snapshot s) {
          if (s.Is(Phase::kStarting)) return s.With(kDue);
          return Snapshot{Roused(s).With(kTimedOut).word + kPinOne};
        });
  }

  // A child of the attempt of `epoch` has failed and takes it with it. Done: it is cancelled, and
  // the caller holds a pin; if `seen` was Dormant it submits. Refused: it is over, or was cancelled
  // before.
  [[nodiscard]] Update<uint64_t> TryCut(uint64_t epoch) {
    return Move([=](Snapshot s) { return s.InAttempt() && s.epoch() == epoch && !s.cancelled(); },
                [](Snapshot s) { return Snapshot{Roused(s).With(kCut).word + kPinOne}; });
  }

  // Grace is over. True once: the body runs on (or has not got a worker to end on, or a child of
  // it runs on), the caller gives the outcome Stuck and holds a pin. Without `force` only if that
  // will not change soon: it is on its worker, or has settled down to wait, and unpinned.
  [[nodiscard]] bool TryAbandon(uint64_t epoch, bool force = true) {
    return Move(
               [=](Snapshot s) {
                 const bool stays = s.Is(Phase::kRunning) || s.Is(Phase::kSuspended);
                 const bool now = force ? s.InAttempt() : stays && !s.pinned();
                 return now && s.epoch() == epoch && s.stopped() && !s.abandoned();
               },
               [](Snapshot s) { return Snapshot{s.With(kAbandoned).word + kPinOne}; })
        .done;
  }

  // The watchdog: the body of the attempt of `epoch` has missed its heartbeat (silent), or
  // beats again. Done: the flag is changed, and the caller holds a pin. A task that was
  // given up has had its last events but one: refused.
  [[nodiscard]] bool TrySilence(uint64_t epoch, bool silent) {
    return Move(
               [=](Snapshot s) {
                 return s.Is(Phase::kRunning) && s.epoch() == epoch && !s.abandoned() &&
                        s.silent() != silent;
               },
               [](Snapshot s) { return Snapshot{(s.word ^ kSilent) + kPinOne}; })
        .done;
  }

  void Unpin() { word_.fetch_sub(kPinOne, std::memory_order_acq_rel); }

  // Worker whose body has returned. Waits for the pins: their holders are in a few
  // lines of ours, and in what the body itself hung on its scopes. The result is the
  // attempt's last state; its own flags are spent.
  [[nodiscard]] Snapshot Settle() {
    while (true) {
      const auto update =
          Move([](Snapshot s) { return !s.pinned(); },
               [](Snapshot s) {
                 return s.In(Phase::kSettling).Without(kTimedOut | kCut | kScoped | kSilent | kDue);
               });
      if (update) return {update.seen};
      GiveWay();
    }
  }

  // The same from kStarting, after a TryBegin that was refused.
  [[nodiscard]] Snapshot SettleUnbegun() {
    return {Move([](Snapshot) { return true; },
                 [](Snapshot s) { return s.In(Phase::kSettling).Without(kPermit | kDue); })
                .seen};
  }

  // Worker, after its decision. False: stopped meanwhile; it decides again.
  [[nodiscard]] bool TryRequeue() { return MoveUnstopped(Phase::kQueued); }
  // To kDelaying, or straight to kQueued if its timer was due() (`seen` says so).
  [[nodiscard]] Update<uint64_t> TryDelay() {
    return Move(
        [](Snapshot s) { return !s.stopped(); },
        [](Snapshot s) { return s.In(s.due() ? Phase::kQueued : Phase::kDelaying).Without(kDue); });
  }
  // The same for the end (also from kStarting); `stopped` is what was decided on.
  [[nodiscard]] bool TryFinish(bool stopped) {
    return Move([=](Snapshot s) { return s.stopped() == stopped; },
                [](Snapshot s) { return s.In(Phase::kFinishing); })
        .done;
  }

  // Timer thread, when the wait after the attempt of `epoch` is over; judged inside the
  // CAS, or a late timer could end the next wait. Done: the caller submits (if `seen`
  // was kDelaying) or has left kDue for the worker (if kSettling).
  [[nodiscard]] Update<uint64_t> TryWake(uint64_t epoch) {
    return Move(
        [=](Snapshot s) {
          return (s.Is(Phase::kDelaying) || s.Is(Phase::kSettling)) && s.epoch() == epoch;
        },
        [](Snapshot s) { return s.Is(Phase::kSettling) ? s.With(kDue) : s.In(Phase::kQueued); });
  }

  struct Stop {
    StopResult result;
    Snapshot before;
  };
  // Anyone. `seen` is a state in which the slot held the task that is meant; no CAS
  // succeeds on a later task, because the epoch is part of the word.
  [[nodiscard]] Stop RequestStop(Snapshot seen, uint8_t cause) {
    const auto update = Move(
        [=](Snapshot s) { return SameTask(s, seen) && !s.stopped() && !s.Is(Phase::kFinishing); },
        [=](Snapshot s) {
          const Snapshot stopped = s.Stopped(cause);
          if (s.InAttempt()) return Snapshot{Roused(stopped).word + kPinOne};
          return AtRest(s) ? stopped.In(Phase::kFinishing) : stopped;
        });
    return {Classify(update, seen), {update.seen}};
  }

  // Asks for a Notify at Release. False: it was released already.
  [[nodiscard]] bool Join(Snapshot seen) {
    return Move([=](Snapshot s) { return SameTask(s, seen); },
                [](Snapshot s) { return s.With(kJoined); })
        .done;
  }

  // The finisher, last. The result says whether anybody joined.
  [[nodiscard]] Snapshot Release() {
    const auto update = Move(
        [](Snapshot) { return true; },
        [](Snapshot s) {
          return Snapshot{((s.epoch() + 1) << kEpochShift) | static_cast<uint64_t>(Phase::kFree)};
        });
    return {update.seen};
  }

  // What a TaskContext reads in a loop.
  [[nodiscard]] const Atomic<uint64_t>* word() const { return &word_; }

 private:
  // Attempts of one task raise the epoch too, so "the same task" is: not released
  // since. Callers that hold an older state of the task look it up again by its id.
  static bool SameTask(Snapshot now, Snapshot seen) {
    return now.epoch() == seen.epoch() && !now.Is(Phase::kFree);
  }
  static bool AtRest(Snapshot s) {
    return s.Is(Phase::kQueued) || s.Is(Phase::kWaiting) || s.Is(Phase::kDelaying);
  }
  static Snapshot Roused(Snapshot s) { return s.Dormant() ? s.In(Phase::kWoken) : s; }
  static StopResult Classify(const Update<uint64_t>& update, Snapshot seen) {
    const Snapshot before{update.seen};
    if (!update) {
      const bool stopped = SameTask(before, seen) && before.stopped();
      return stopped ? StopResult::kAlready : StopResult::kRefused;
    }
    if (before.InAttempt()) return StopResult::kPinned;
    return AtRest(before) ? StopResult::kTaken : StopResult::kNoted;
  }

  bool MoveUnstopped(Phase to) {
    return Move([](Snapshot s) { return !s.stopped(); }, [=](Snapshot s) { return s.In(to); }).done;
  }

  template <class Allowed, class Next>
  Update<uint64_t> Move(Allowed allowed, Next next) {
    return UpdateIf(
        word_, [&](uint64_t w) { return allowed(Snapshot{w}); },
        [&](uint64_t w) { return next(Snapshot{w}).word; });
  }

  Atomic<uint64_t> word_{static_cast<uint64_t>(Phase::kFree)};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ACTOR_STATE_H_
