#ifndef TASKVISOR_SUPERVISOR_FLIGHT_RECORDER_H_
#define TASKVISOR_SUPERVISOR_FLIGHT_RECORDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "sched/atomic.h"
#include "supervisor/event_record.h"
#include "taskvisor/event.h"
#include "taskvisor/task_id.h"

namespace taskvisor::internal {

// FlightRecorder
//
// The last events, always in memory, readable at any time: by any thread, in a signal
// handler, and while the writer goes on or has been stopped in the middle of a record.
//
//   fan-out thread ── Record ──▶ cells, a ring ──▶ Dump, Of      any thread, any number
//
// The n-th record (from 0) goes to cell n mod size. A cell is a seqlock whose payload is
// atomic words too:
//   stamp   0            never written
//           2n + 1       record n is being written
//           2n + 2       record n is there
//
//   Record  stamp.store(2n + 1, relaxed)
//           each word .store(release)            W
//           stamp.store(2n + 2, release)         S
//   Read    stamp.load(acquire) == 2n + 2        pairs with S: the words of record n, or
//                                                later ones, are what is read now
//           each word .load(acquire)             pairs with W: a word of a later record m
//                                                brings with it the 2m + 1 before it,
//           stamp.load(relaxed) == 2n + 2        which this load then can not miss
// (Dump and Of look only below the count of records, whose release comes after S.)
// So what is read is record n whole, or it is skipped. Neither a fence nor a
// read-modify-write is needed; on x86 all of these are plain moves.
//
// Progress: Record is wait-free, and so is reading: it looks at each cell once and skips
// those that were overwritten meanwhile. Neither allocates, but for what Of answers.
class FlightRecorder {
 public:
  // 0: off.
  explicit FlightRecorder(size_t events);

  [[nodiscard]] size_t size() const { return size_; }

  // Texts that do not fit into the cell are cut, and end in "...". One thread at a time.
  void Record(const EventRecord& record) noexcept;

  // A line for each event, oldest first; returns how many. Stops at an error of write(2).
  // Async-signal-safe; errno stays as it was.
  size_t Dump(int fd) const noexcept;

  // The last events of each of `ids`, `most` at most, oldest first. One pass over all.
  [[nodiscard]] std::vector<std::vector<Event>> Of(const std::vector<TaskId>& ids,
                                                   size_t most) const;
  [[nodiscard]] std::vector<Event> Of(TaskId id, size_t most) const {
    return Of(std::vector{id}, most).front();
  }

 private:
  static constexpr size_t kCellBytes = 256;
  static constexpr size_t kWords = kCellBytes / sizeof(uint64_t) - 1;
  static constexpr size_t kTextBytes = kWords * sizeof(uint64_t) - sizeof(EventRecord);

  // As it lies in a cell, and as EventRecord wants its text.
  struct Content {
    EventRecord record;
    char text[kTextBytes];
  };
  struct alignas(kCacheLine) Cell {
    Atomic<uint64_t> stamp{0};
    std::array<Atomic<uint64_t>, kWords> words;
  };
  using Words = std::array<uint64_t, kWords>;
  static_assert(sizeof(Content) == sizeof(Words) && std::is_trivially_copyable_v<Content>);

  // The record with as much of its text as fits.
  static void Fit(const EventRecord& record, Content& content);
  // The next cell gets so many bytes.
  void Put(const void* bytes, size_t size) noexcept;
  // False if record n is not there any more, or not whole.
  bool Read(uint64_t n, Content& content) const noexcept;

  const size_t size_;
  const std::unique_ptr<Cell[]> cells_;
  Atomic<uint64_t> recorded_{0};  // records so far; the writer's to change
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_FLIGHT_RECORDER_H_
