#ifndef TASKVISOR_TOOLS_TREESUM_CHAOS_H_
#define TASKVISOR_TOOLS_TREESUM_CHAOS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "taskvisor/task_context.h"
#include "taskvisor/task_result.h"

namespace taskvisor::treesum {

enum class Fault : uint8_t {
  kNone,
  kFailure,    // an I/O error that passes: 40 of 100 faults
  kException,  // 30
  kSlow,       // each chunk comes late: 20
  kHang,       // until cancelled or timed out: 10, the dearest, since it holds a thread
};

// Chaos
//
// Which attempts go wrong, and how: a function of seed, path and attempt and of nothing
// else, so that a run can be repeated on any machine.
class Chaos {
 public:
  // What a slow read waits before each chunk.
  static constexpr Duration kPause = std::chrono::milliseconds(5);

  // `probability` of a fault, per attempt, in [0, 1].
  Chaos(double probability, uint64_t seed) : probability_(probability), seed_(seed) {}

  [[nodiscard]] Fault Decide(std::string_view path, uint32_t attempt) const;

  [[nodiscard]] double probability() const { return probability_; }
  [[nodiscard]] uint64_t seed() const { return seed_; }

 private:
  double probability_;
  uint64_t seed_;
};

// Lets `fault` happen: the result of an attempt that it ends, or nothing if the attempt may
// go on (none, slow). kException throws std::runtime_error.
[[nodiscard]] std::optional<TaskResult> Strike(Fault fault, TaskContext& context);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_CHAOS_H_
