#ifndef TASKVISOR_SCHED_CREW_H_
#define TASKVISOR_SCHED_CREW_H_

#include <semaphore.h>

#include <cstddef>
#include <functional>
#include <vector>

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
  Crew();
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Makes `size` threads. Each prepares, all of them before this returns; what prepare() throws,
  // and what std::thread throws, this throws, and has made nothing. A thread whose turn() answers
  // false ends. There is one crew: a call while there is does nothing. Not at the same time as the
  // others but Call.
  void Start(size_t size, const std::function<void()>& prepare, std::function<bool()> turn);

  // Also before Start.
  void Call() {
    NoteDelay();
    sem_post(&calls_);
  }

  // Calls each thread once more, and waits for them. REQUIRES: all turns from now on are the last.
  void Stop();

 private:
  void Work();
  void Join();

  sem_t calls_;
  std::function<bool()> turn_;
  std::vector<Thread> threads_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_CREW_H_
