#ifndef TASKVISOR_BENCH_RECORD_H_
#define TASKVISOR_BENCH_RECORD_H_

#include <cstddef>
#include <cstdint>

namespace taskvisor::bench {

// What every row moves: with the stamps of a slot one cache line. Each word says the same
// thing, so a torn or stale record shows.
struct Record {
  uint64_t sequence;  // the bus's own
  uint64_t value;
  uint64_t words[4];
  uint64_t check;
};
static_assert(sizeof(Record) == 56);

inline void Fill(Record& record, uint64_t value) {
  record.value = value;
  for (uint64_t i = 0; i < 4; ++i) record.words[i] = value + i;
  record.check = ~value;
}

inline Record MakeRecord(uint64_t value) {
  Record record;
  record.sequence = 0;
  Fill(record, value);
  return record;
}

[[nodiscard]] inline bool IsWhole(const Record& record) {
  uint64_t wrong = record.check ^ ~record.value;
  for (uint64_t i = 0; i < 4; ++i) wrong |= record.words[i] ^ (record.value + i);
  return wrong == 0;
}

// Who takes records at the far end of a fan-out, on a thread of its own.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void OnRecord(const Record& record) noexcept = 0;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_RECORD_H_
