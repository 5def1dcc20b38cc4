#ifndef TASKVISOR_FLIGHT_RECORDER_H_
#define TASKVISOR_FLIGHT_RECORDER_H_

#include <cstddef>

#include "absl/status/status.h"
#include "taskvisor/supervisor.h"

namespace taskvisor {

// How many supervisors of a process can have their last events dumped at a crash, ever.
inline constexpr size_t kMaxCrashDumps = 16;

// From now on, when SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT arrives, the last events of
// this supervisor are written to `fd`, as by SupervisorHandle::DumpRecent, before the
// program dies. Also when the supervisor is long gone: its events are kept for that.
// There is no way back. The handler waits 20 ms first, so that what was published last
// can arrive; events that have not by then are missing.
//
// The first call installs the handlers, and what was there is called after the dump, with
// the signals blocked that it asked for; where that was the default, the default is
// restored and the signal raised again, so the exit status is what it would have been. So:
// after the host has installed its own. A crash in the dump ends the dump only. Of
// several threads that crash at once one dumps, the others wait for it, for a second at
// most.
//
// A handler runs on the thread that crashed, on its alternate signal stack if it has one.
// The calling thread gets one if it has none; a stack overflow on any other thread, the
// workers included, is dumped only if the host gave that thread one (sigaltstack).
//
// Installing the same handle and `fd` again changes nothing.
// Errors: kResourceExhausted  kMaxCrashDumps are installed
//         kFailedPrecondition the system refused a handler or the alternate stack
//
// Example:
//   taskvisor::SupervisorHandle handle = supervisor->Serve();
//   absl::Status installed = taskvisor::InstallCrashDump(handle);
absl::Status InstallCrashDump(const SupervisorHandle& handle, int fd = 2);

}  // namespace taskvisor

#endif  // TASKVISOR_FLIGHT_RECORDER_H_
