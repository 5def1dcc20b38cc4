#ifndef TASKVISOR_SCHED_ATOMIC_H_
#define TASKVISOR_SCHED_ATOMIC_H_

#include <atomic>
#include <cstddef>

// A model test compiles these same headers with its own Atomic<T>, which hands
// control to a seeded scheduler at every access:
//   -DTASKVISOR_MODEL_ATOMIC='"tests/support/model_atomic.h"'
#ifdef TASKVISOR_MODEL_ATOMIC
#include TASKVISOR_MODEL_ATOMIC
#else
namespace taskvisor::internal {
template <class T>
using Atomic = std::atomic<T>;
}  // namespace taskvisor::internal
#endif

namespace taskvisor::internal {

inline constexpr size_t kCacheLine = 64;

// What UpdateIf did: `seen` is the value replaced (done) or the one that refused.
template <class Word>
struct [[nodiscard]] Update {
  bool done;
  Word seen;
  explicit operator bool() const { return done; }
};

// The only compare-exchange loop of the state machines.
//
// Replaces `word` by next(seen) while allowed(seen) holds; stops once it does not.
// acquire (load, failed CAS): the predicate judges a value whose writer's plain
// writes are visible. acq_rel (success): takes them over and hands ours on.
// `success`: seq_cst for half of a store-load pair, said where it is.
// Lock-free: it repeats only when another thread's update succeeded.
template <class Word, class Allowed, class Next>
Update<Word> UpdateIf(Atomic<Word>& word, Allowed allowed, Next next,
                      std::memory_order success = std::memory_order_acq_rel) {
  Word seen = word.load(std::memory_order_acquire);
  while (allowed(seen)) {
    if (word.compare_exchange_weak(seen, next(seen), success, std::memory_order_acquire)) {
      return {true, seen};
    }
  }
  return {false, seen};
}

// The word is `least` from now on, or more. As UpdateIf.
template <class Word>
void RaiseTo(Atomic<Word>& word, Word least) {
  static_cast<void>(UpdateIf(
      word, [=](Word seen) { return seen < least; }, [=](Word) { return least; }));
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_ATOMIC_H_
