#ifndef TASKVISOR_BUS_LATE_WAKE_H_
#define TASKVISOR_BUS_LATE_WAKE_H_

#include <utility>

#include "bus/baton.h"
#include "sched/delays.h"

namespace taskvisor::internal {

// LateWake
//
// While one of these lives, what its thread publishes on the bus wakes nobody: the wake-up that
// it owes is paid once, when the last of that bus's ends. For a few lines in which somebody
// else is to be told something first: a wake-up is a system call, and who is woken takes a core
// from those whom the caller tells next.
//
//   LateWake late(baton);
//   bus.PublishRun(...);   // the reader may sleep on
//   pool.Submit(...);      // a worker first
//                          // ~LateWake: now the reader, whichever way the scope is left
//
// Why that is right: the publisher that ended the sleep of the ring owes a wake-up, and may at
// any time be stopped before it pays it. This makes the time longer, and adds no order that
// was not possible. Meanwhile nothing is read, so a lane may fill up: not for many records,
// and never around code of the user's, which is put Aside.
//
// Belongs to one thread, lives on its stack, nests. Wait-free but for the kernel's wake.
class LateWake {
 public:
  explicit LateWake(Baton& baton) : baton_(baton), outer_(t_innermost) { t_innermost = this; }
  ~LateWake() {
    t_innermost = outer_;
    if (owes_) Notify(baton_);
  }
  LateWake(const LateWake&) = delete;
  LateWake& operator=(const LateWake&) = delete;

  // The publisher that ended the sleep of the ring: now, or later.
  static void Notify(Baton& baton) {
    for (LateWake* late = t_innermost; late != nullptr; late = late->outer_) {
      if (&late->baton_ != &baton) continue;
      late->owes_ = true;
      return;
    }
    baton.Wake();
  }

  // For an executor: the innermost one of the thread that goes on now on this one. That of who
  // went before.
  static LateWake* Exchange(LateWake* innermost) { return std::exchange(t_innermost, innermost); }

  // For what may take long, or wait for a subscriber: code of the user's. Pays what is owed, and
  // while it lives it is as if there were no LateWake outside it.
  class Aside {
   public:
    Aside() : outer_(t_innermost) {
      NoteDelay();
      for (LateWake* late = outer_; late != nullptr; late = late->outer_) {
        if (late->owes_) late->baton_.Wake();
        late->owes_ = false;
      }
      t_innermost = nullptr;
    }
    ~Aside() { t_innermost = outer_; }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;

   private:
    LateWake* const outer_;
  };

 private:
  static constinit thread_local LateWake* t_innermost;

  Baton& baton_;
  LateWake* const outer_;
  bool owes_ = false;
};

inline constinit thread_local LateWake* LateWake::t_innermost = nullptr;

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_LATE_WAKE_H_
