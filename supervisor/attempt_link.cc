#include "supervisor/attempt_link.h"

namespace taskvisor::internal {

void DeleteError::operator()(const TaskError* error) const { delete error; }

}  // namespace taskvisor::internal
