#ifndef TASKVISOR_BENCH_FAN_OUT_PEERS_H_
#define TASKVISOR_BENCH_FAN_OUT_PEERS_H_

#include <tbb/concurrent_queue.h>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "bench/record.h"
#include "sched/event_count.h"
#include "sched/ready_queue.h"  // moodycamel: the one file that includes it

namespace taskvisor::bench {

// What a fan-out is measured against: a queue and a thread for each receiver, and the
// publisher puts a copy into each. A mailbox has
//   Push(record)    from the publisher
//   Serve(receiver) on the receiver's thread, until the record with value kEnd

inline constexpr uint64_t kEnd = ~uint64_t{0};

// As our own subscribers do: looks again a few times before it sleeps, which spares all
// contenders most of their wake-ups.
template <class Condition>
bool LookSomeTimes(Condition condition) {
  for (int look = 0; look < 16; ++look) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

// False at the end.
inline bool Hand(const Record& record, Receiver& receiver) {
  if (record.value == kEnd) return false;
  receiver.OnRecord(record);
  return true;
}

// The usual one: the thread takes the whole vector and leaves its empty one.
class MutexMailbox {
 public:
  void Push(const Record& record) {
    bool was_empty = false;
    {
      std::lock_guard lock(mutex_);
      was_empty = filling_.empty();
      filling_.push_back(record);
    }
    if (was_empty) filled_.notify_one();
  }

  void Serve(Receiver& receiver) {
    std::vector<Record> records;
    while (true) {
      records.clear();
      LookSomeTimes([this] {
        std::lock_guard lock(mutex_);
        return !filling_.empty();
      });
      {
        std::unique_lock lock(mutex_);
        filled_.wait(lock, [this] { return !filling_.empty(); });
        records.swap(filling_);
      }
      for (const Record& record : records) {
        if (!Hand(record, receiver)) return;
      }
    }
  }

 private:
  alignas(internal::kCacheLine) std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<Record> filling_;
};

class TbbMailbox {
 public:
  void Push(const Record& record) { queue_.push(record); }

  void Serve(Receiver& receiver) {
    Record record;
    do {
      if (!LookSomeTimes([&] { return queue_.try_pop(record); })) queue_.pop(record);
    } while (Hand(record, receiver));
  }

 private:
  tbb::concurrent_bounded_queue<Record> queue_;
};

// moodycamel's queue, taken in batches; parks on the bus's own event count.
class MoodycamelMailbox {
 public:
  void Push(const Record& record) {
    queue_.enqueue(record);
    events_.Notify();
  }

  void Serve(Receiver& receiver) {
    std::array<Record, 64> records;
    while (true) {
      size_t count = 0;
      const auto take = [&] {
        count = queue_.try_dequeue_bulk(records.begin(), records.size());
        return count > 0;
      };
      if (!LookSomeTimes(take)) internal::Await(events_, take);
      for (size_t i = 0; i < count; ++i) {
        if (!Hand(records[i], receiver)) return;
      }
    }
  }

 private:
  moodycamel::ConcurrentQueue<Record> queue_;
  internal::EventCount events_;
};

template <class Mailbox>
class MailboxFanOut {
 public:
  explicit MailboxFanOut(const std::vector<Receiver*>& receivers) : mailboxes_(receivers.size()) {
    for (size_t i = 0; i < receivers.size(); ++i) {
      threads_.emplace_back([this, i, receivers] { mailboxes_[i].Serve(*receivers[i]); });
    }
  }

  ~MailboxFanOut() {
    Publish(kEnd);
    for (std::thread& thread : threads_) thread.join();
  }

  void Publish(uint64_t value) {
    const Record record = MakeRecord(value);
    for (Mailbox& mailbox : mailboxes_) mailbox.Push(record);
  }

  // It waits rather than lose.
  [[nodiscard]] uint64_t lost() const { return 0; }

 private:
  std::deque<Mailbox> mailboxes_;  // a deque: they cannot move
  std::vector<std::thread> threads_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_FAN_OUT_PEERS_H_
