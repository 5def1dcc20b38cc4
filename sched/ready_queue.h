#ifndef TASKVISOR_SCHED_READY_QUEUE_H_
#define TASKVISOR_SCHED_READY_QUEUE_H_

#include <concurrentqueue/concurrentqueue.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "sched/atomic.h"
#include "sched/delays.h"

namespace taskvisor::internal {

// ReadyQueue
//
// moodycamel::ConcurrentQueue behind the few calls we use; the only file that includes
// it. FIFO per pushing thread. Between pushing threads there is no order, but a turn:
// a cursor stays with one thread's elements for kTurn takes at most, then goes on to
// the next thread's. (Without a cursor the queue takes from the longest of the first
// few sub-queues, and one busy thread starves all others.)
//
// Callers count: they take only after an atomic count of theirs proved that an
// element is in the queue and is theirs to take, so they need not give up; they may have to
// look more than once while other takers and pushers move.
//
// That holds with stopped takers too. One that is stopped between the two counters of a
// sub-queue it found empty hides an element of it, but has not taken the one it counted
// for: those who go on are never more than the elements that they can see.
//
// Without memory for one more, Push says so and has changed nothing; it never throws: elements
// are plain values, and the queue asks malloc.
//
// Progress: lock-free, but for malloc: the memory of a new block, and the table of pushing
// threads, which one thread makes larger while those that push for the first time may wait.
template <class T>
class ReadyQueue {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr uint32_t kTurn = 32;
  struct Traits : moodycamel::ConcurrentQueueDefaultTraits {
    static const uint32_t EXPLICIT_CONSUMER_CONSUMPTION_QUOTA_BEFORE_ROTATE = kTurn;
  };
  using Queue = moodycamel::ConcurrentQueue<T, Traits>;

 public:
  // Where one taking thread is on its way round the pushing threads. One thread at a time.
  class Cursor {
   public:
    explicit Cursor(ReadyQueue& queue) : token_(queue.queue_) {}

   private:
    friend class ReadyQueue;
    moodycamel::ConsumerToken token_;
  };

  // False: no memory for it.
  [[nodiscard]] bool Push(T value) { return queue_.enqueue(value); }

  // All or none.
  template <class Iterator>
  [[nodiscard]] bool PushRange(Iterator first, size_t count) {
    return queue_.enqueue_bulk(first, count);
  }

  // False: nothing was seen.
  [[nodiscard]] bool TryTake(Cursor& cursor, T& value) {
    return queue_.try_dequeue(cursor.token_, value);
  }
  [[nodiscard]] bool TryTake(T& value) { return queue_.try_dequeue(value); }

 private:
  Queue queue_;
};

// CountedQueue
//
// A ReadyQueue and the count that its callers need: an element is pushed, then counted; a count is
// taken, then an element. So there are always as many elements as counts, and who has taken one
// finds one.
//
// seq_cst: as CellLane's Push and Any.
template <class T>
class CountedQueue {
 public:
  class Cursor : public ReadyQueue<T>::Cursor {
   public:
    explicit Cursor(CountedQueue& queue) : ReadyQueue<T>::Cursor(queue.queue_) {}
  };

  // False: no memory for it.
  [[nodiscard]] bool Push(T value) { return Counted(1, queue_.Push(value)); }
  // All or none.
  template <class Iterator>
  [[nodiscard]] bool PushRange(Iterator first, size_t count) {
    return Counted(count, queue_.PushRange(first, count));
  }

  [[nodiscard]] bool Any() const { return waiting_.load(std::memory_order_seq_cst) != 0; }

  // False: there is none.
  [[nodiscard]] bool TryTake(Cursor& cursor, T& value) {
    const auto claim = UpdateIf(
        waiting_, [](uint64_t n) { return n > 0; }, [](uint64_t n) { return n - 1; });
    if (!claim) return false;
    while (!queue_.TryTake(cursor, value)) YieldCore();
    return true;
  }

 private:
  bool Counted(size_t count, bool pushed) {
    if (pushed) waiting_.fetch_add(count, std::memory_order_seq_cst);
    return pushed;
  }

  Atomic<uint64_t> waiting_{0};
  ReadyQueue<T> queue_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_READY_QUEUE_H_
