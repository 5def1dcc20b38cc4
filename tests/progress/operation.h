#ifndef TASKVISOR_TESTS_PROGRESS_OPERATION_H_
#define TASKVISOR_TESTS_PROGRESS_OPERATION_H_

#include <memory>
#include <string>

#include "tests/progress/world.h"

namespace taskvisor::testing {

// One kind of operation, as one thread does it again and again: Prepare, Do, Settle. Only
// Do is the operation; the rest brings about what it needs, and waits for what it began.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual void Prepare() {}
  virtual void Do() = 0;
  virtual void Settle() {}
  // Waits for all but what stopped workers may hold.
  virtual void SettleAll() {}
};

// `thread` makes its names unique. Not for kinds of workers.
std::unique_ptr<Operation> MakeOperation(Kind kind, World& world, const std::string& thread);

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_PROGRESS_OPERATION_H_
