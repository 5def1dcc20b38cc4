#ifndef TASKVISOR_SCHED_CREW_H_
#define TASKVISOR_SCHED_CREW_H_

#include <semaphore.h>

#include <cstddef>
#include <functional>
#include <vector>

#include "sched/atomic.h"
#include "sched/delays.h"
#include "sched/thread.h"

namespace taskvisor::internal {

// Crew
//
// Threads that wait until they are called. A call is one turn of one thread: of one that waits, or
// else of the first that comes back from its turn. A call wakes one thread and no more.
//
// Memory order: what happened before Call is visible to the turn that it leads to.
// Progress: Call is lock-free but for the kernel's wake.
class Crew {
 public:
  // Of one thread: waits for its next call. False: there are no more.
  using Called = std::function<bool()>;
  // What thread `number` of them does: it ends with this, which ends when called() is false, and
  // throws nothing after its first called().
  using Life = std::function<void(size_t number, const Called& called)>;

  Crew();
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Makes `size` threads, and returns when each has come to its first called(). What life() throws
  // before that, and what std::thread throws, this throws, and has made nothing. There is one crew:
  // a call while there is does nothing. Not at the same time as the others but Call.
  void Start(size_t size, const Life& life);

  // Also before Start.
  void Call() {
    NoteDelay();
    sem_post(&calls_);
  }

  // Ends each thread that waits, the others when they come back, and waits for them. REQUIRES: no
  // call is left.
  void Stop();

 private:
  [[nodiscard]] bool AwaitCall();
  void Join();

  sem_t calls_;
  Atomic<bool> over_{false};
  std::vector<Thread> threads_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_CREW_H_
