#ifndef TASKVISOR_TESTS_PROGRESS_FAIL_POINT_ATOMIC_H_
#define TASKVISOR_TESTS_PROGRESS_FAIL_POINT_ATOMIC_H_

#include <atomic>

#include "tests/progress/fail_point.h"

// What the library gets for Atomic<T> in the test of every fail point:
//   -DTASKVISOR_MODEL_ATOMIC='"tests/progress/fail_point_atomic.h"' -DTASKVISOR_REAL_FUTEX
// A real std::atomic, with a fail point before each access and before a wake-up.
namespace taskvisor::internal {

template <class T>
class Atomic : public std::atomic<T> {
  using Real = std::atomic<T>;
  using Order = std::memory_order;
  static constexpr Order kDefault = std::memory_order_seq_cst;

 public:
  constexpr Atomic() noexcept : Real() {}
  constexpr Atomic(T value) noexcept : Real(value) {}  // NOLINT(google-explicit-constructor)

  T load(Order order = kDefault) const noexcept { return At<const Real>(this).load(order); }
  void store(T value, Order order = kDefault) noexcept { At<Real>(this).store(value, order); }
  T exchange(T value, Order order = kDefault) noexcept {
    return At<Real>(this).exchange(value, order);
  }
  T fetch_add(T by, Order order = kDefault) noexcept { return At<Real>(this).fetch_add(by, order); }
  T fetch_sub(T by, Order order = kDefault) noexcept { return At<Real>(this).fetch_sub(by, order); }
  T fetch_or(T by, Order order = kDefault) noexcept { return At<Real>(this).fetch_or(by, order); }
  T fetch_and(T by, Order order = kDefault) noexcept { return At<Real>(this).fetch_and(by, order); }
  bool compare_exchange_weak(T& expected, T desired, Order success, Order failure) noexcept {
    return At<Real>(this).compare_exchange_weak(expected, desired, success, failure);
  }
  bool compare_exchange_strong(T& expected, T desired, Order success, Order failure) noexcept {
    return At<Real>(this).compare_exchange_strong(expected, desired, success, failure);
  }

 private:
  template <class R>
  static R& At(R* self) {
    testing::FailPoint::Reach();
    return *self;
  }
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_TESTS_PROGRESS_FAIL_POINT_ATOMIC_H_
