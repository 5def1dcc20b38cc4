#ifndef TASKVISOR_TOOLS_TREESUM_READ_ERROR_H_
#define TASKVISOR_TOOLS_TREESUM_READ_ERROR_H_

#include <string>

#include "taskvisor/task_result.h"

namespace taskvisor::treesum {

// Whether the same call may succeed later: a device that stuttered (EIO, ETIMEDOUT), a limit
// that others hold up (EAGAIN, EMFILE, ENFILE, ENOMEM, EBUSY), a handle that a server forgot
// (ESTALE). EINTR is repeated where it occurs and never gets here.
[[nodiscard]] bool MayPass(int error);

// "Permission denied".
[[nodiscard]] std::string Describe(int error);

// What a body returns for `error`: retryable if it may pass, else fatal. Its exit code is
// the errno.
[[nodiscard]] TaskResult ReadFailure(int error);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_READ_ERROR_H_
