#include "tools/treesum/read_error.h"

#include <cerrno>
#include <system_error>

namespace taskvisor::treesum {

bool MayPass(int error) {
  switch (error) {
    case EIO:
    case ETIMEDOUT:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EBUSY:
    case ESTALE:
      return true;
    default:
      return false;
  }
}

std::string Describe(int error) { return std::generic_category().message(error); }

TaskResult ReadFailure(int error) {
  const std::string reason = Describe(error);
  return (MayPass(error) ? Fail(reason) : Fatal(reason)).WithExitCode(error);
}

}  // namespace taskvisor::treesum
