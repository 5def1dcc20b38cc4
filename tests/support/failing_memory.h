#ifndef TASKVISOR_TESTS_SUPPORT_FAILING_MEMORY_H_
#define TASKVISOR_TESTS_SUPPORT_FAILING_MEMORY_H_

#include <cstdint>

namespace taskvisor::testing {

// For binaries that have failing_memory.cc among their sources: it stands before malloc and
// its kin, so that the ready queue and oneTBB meet it too. Not under a sanitizer, which has a
// malloc of its own.

// While one lives, the calling thread runs out of memory.
class FailingMemory {
 public:
  enum class From : uint8_t {
    kOnce,     // the n-th allocation fails
    kOnwards,  // and all that follow it
  };

  FailingMemory(uint64_t n, From from);
  ~FailingMemory();
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;

  // How many allocations have failed.
  [[nodiscard]] uint64_t failures() const;
};

// While one lives, all threads but the calling one have no memory. One at a time.
class StarvedOthers {
 public:
  StarvedOthers();
  ~StarvedOthers();
  StarvedOthers(const StarvedOthers&) = delete;
  StarvedOthers& operator=(const StarvedOthers&) = delete;

  [[nodiscard]] uint64_t failures() const;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_FAILING_MEMORY_H_
