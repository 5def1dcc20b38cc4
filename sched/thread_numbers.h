#ifndef TASKVISOR_SCHED_THREAD_NUMBERS_H_
#define TASKVISOR_SCHED_THREAD_NUMBERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "sched/atomic.h"

namespace taskvisor::internal {

// ThreadNumbers
//
// A small number for each thread that uses one object, so that the object can keep
// something for each of them: two threads never have the same number at a time, and the
// number of a thread that has ended is given out again.
//
//   free ── Mine, by a thread without one ──▶ held ── the thread ends ──▶ free
//
// For an object that it used lately, a thread also keeps a pointer, to what it would look up
// by its number every time: for the last of those that share a place in a few of the thread's.
// Objects that are made one after the other do not.
//
// Memory order: what a thread did before it ended is visible to the next with its number.
//
// Progress: Mine and Kept are wait-free: a look at thread-local memory, or through a list
// of the thread's own if it used an object of the same place last. A thread's first Mine takes a
// number, lock-free but for malloc.
class ThreadNumbers {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};

  explicit ThreadNumbers(uint32_t max);
  // REQUIRES: no thread is in Mine. Threads that hold numbers may live on.
  ~ThreadNumbers();

  ThreadNumbers(const ThreadNumbers&) = delete;
  ThreadNumbers& operator=(const ThreadNumbers&) = delete;

  // The calling thread's number, below max. kNone if all are held, if there is no memory, or
  // in a thread that ends, after its numbers went back, which is after its thread_locals.
  [[nodiscard]] uint32_t Mine() { return Latest().object == id_ ? Latest().number : LookUp(); }

  // What this thread gave to Keep, or null, if it used another object of the same place since.
  [[nodiscard]] void* Kept() const { return Latest().object == id_ ? Latest().kept : nullptr; }
  // After Mine gave a number.
  void Keep(void* kept) const {
    if (Latest().object == id_) Latest().kept = kept;
  }
  // The calling thread's of `all`, one for each number, which it keeps. Null: it has none.
  template <class T>
  [[nodiscard]] T* KeepMineOf(T* all) {
    const uint32_t number = Mine();
    if (number == kNone) return nullptr;
    Keep(&all[number]);
    return &all[number];
  }

 private:
  struct Book;
  class Held;
  friend class Held;
  static constexpr size_t kPlaces = 4;
  // Aligned: what a place is at is a shift away.
  struct alignas(32) Last {
    uint64_t object;  // 0: none
    void* kept;
    uint32_t number;
  };
  [[nodiscard]] Last& Latest() const { return t_last[place_]; }
  [[nodiscard]] uint32_t LookUp();

  static constinit thread_local Last t_last[kPlaces];
  static constinit thread_local bool t_ended;

  const uint64_t id_;  // never given twice, unlike an address
  const size_t place_ = id_ % kPlaces;
  const std::shared_ptr<Book> book_;
};

inline constinit thread_local ThreadNumbers::Last ThreadNumbers::t_last[kPlaces] = {};
inline constinit thread_local bool ThreadNumbers::t_ended = false;

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_THREAD_NUMBERS_H_
