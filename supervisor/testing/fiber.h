#ifndef TASKVISOR_SUPERVISOR_TESTING_FIBER_H_
#define TASKVISOR_SUPERVISOR_TESTING_FIBER_H_

#include <cstddef>
#include <functional>
#include <memory>

namespace taskvisor::internal {

// Fiber
//
// Work with a stack of its own, which its thread goes on with and leaves as it likes.
//
//   built ── Resume ──▶ inside ──── Suspend ────▶ outside
//                        │  ▲                        │
//              work ends │  └──────── Resume ────────┘
//                        ▼
//                       done
//
// What C++ keeps of exceptions per thread goes with it, so it may be left in a catch block.
// Sanitizers are told of every switch.
//
// Of one thread, for its whole life. Resume and Suspend cost some 20 ns. A stack has 8 MiB, of
// which what was used is taken up, and 1 MiB in front of it that is no memory: who overflows it
// gets a SIGSEGV, unless by a frame that is larger than that. Stacks are kept by their thread for
// the next fibers. Without address space for one, Resume throws std::bad_alloc.
class Fiber {
 public:
  explicit Fiber(std::function<void()> work);
  // One that is neither new nor done is leaked: nobody can take what lies on its stack apart.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From outside: until it suspends, or is done.
  void Resume();
  // From inside: back to who resumed it.
  void Suspend();
  [[nodiscard]] bool done() const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_TESTING_FIBER_H_
