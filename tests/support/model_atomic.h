#ifndef TASKVISOR_TESTS_SUPPORT_MODEL_ATOMIC_H_
#define TASKVISOR_TESTS_SUPPORT_MODEL_ATOMIC_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include "tests/support/model.h"

// What the headers under test get for Atomic<T> and the futex in a model test:
//   -DTASKVISOR_MODEL_ATOMIC='"tests/support/model_atomic.h"'
// Every access is one step of the Model, in one order that all threads see; after a change
// comes another step, so that others may get in before what its thread does next, plain
// accesses included. Memory orders are accepted and have no effect: a model test says
// nothing about them.
namespace taskvisor::internal {

template <class T>
class Atomic {
 public:
  static constexpr bool is_always_lock_free = true;

  constexpr Atomic() = default;
  constexpr Atomic(T value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order = std::memory_order_seq_cst) const {
    testing::Model::Step();
    return value_;
  }
  void store(T value, std::memory_order = std::memory_order_seq_cst) {
    testing::Model::Step();
    value_ = value;
    testing::Model::Step();
  }
  T exchange(T value, std::memory_order = std::memory_order_seq_cst) {
    return Change([=](T) { return value; });
  }
  T fetch_add(T by, std::memory_order = std::memory_order_seq_cst) {
    return Change([=](T seen) { return static_cast<T>(seen + by); });
  }
  T fetch_sub(T by, std::memory_order = std::memory_order_seq_cst) {
    return Change([=](T seen) { return static_cast<T>(seen - by); });
  }
  T fetch_or(T bits, std::memory_order = std::memory_order_seq_cst) {
    return Change([=](T seen) { return static_cast<T>(seen | bits); });
  }
  T fetch_and(T bits, std::memory_order = std::memory_order_seq_cst) {
    return Change([=](T seen) { return static_cast<T>(seen & bits); });
  }
  bool compare_exchange_strong(T& expected, T desired,
                               std::memory_order = std::memory_order_seq_cst,
                               std::memory_order = std::memory_order_seq_cst) {
    testing::Model::Step();
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = desired;
    testing::Model::Step();
    return true;
  }
  // Fails now and then although the value is the expected one, as it may.
  bool compare_exchange_weak(T& expected, T desired, std::memory_order = std::memory_order_seq_cst,
                             std::memory_order = std::memory_order_seq_cst) {
    if (testing::Model::Chance(16)) return expected = load(), false;
    return compare_exchange_strong(expected, desired);
  }

 private:
  template <class Next>
  T Change(Next next) {
    testing::Model::Step();
    const T seen = value_;
    value_ = next(seen);
    testing::Model::Step();
    return seen;
  }

  T value_{};
};

// See sched/futex.h; a deadline is one of the model's time.
inline void FutexWait(Atomic<uint32_t>& word, uint32_t expected,
                      std::chrono::steady_clock::time_point deadline) {
  if (word.load() != expected) return;  // no step between this look and the sleep
  const bool bounded = deadline != std::chrono::steady_clock::time_point::max();
  testing::Model::Sleep(&word, bounded
                                   ? std::chrono::nanoseconds(deadline.time_since_epoch()).count()
                                   : testing::Model::kForEver);
}

inline void FutexWakeAll(Atomic<uint32_t>& word) {
  testing::Model::Step();
  testing::Model::WakeAll(&word);
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_TESTS_SUPPORT_MODEL_ATOMIC_H_
