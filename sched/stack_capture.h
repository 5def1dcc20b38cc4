#ifndef TASKVISOR_SCHED_STACK_CAPTURE_H_
#define TASKVISOR_SCHED_STACK_CAPTURE_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sched/stack_request.h"

namespace taskvisor::internal {

// A call stack, innermost first, or why there is none.
struct CapturedStack {
  enum class Why : uint8_t {
    kTaken,
    kNoAnswer,     // within the limit: it was not let onto a core, or sleeps in the kernel
    kBlocked,      // the same, and the thread blocks the signal
    kNoThread,     // it has ended
    kNoSignal,     // no real-time signal is free, or none could be sent
    kTooMany,      // too many are being taken
    kUnsupported,  // this C library gives no unwinder that is safe in a signal handler
  };

  Why why = Why::kNoAnswer;
  int signal = 0;
  size_t size = 0;
  // Inside the instruction that was interrupted, then inside each call that led there.
  std::array<uintptr_t, kMaxFrames> frames{};
};

// CaptureStacks
//
// The stacks of other threads of this process, as they run, without a debugger. Each
// thread gets a signal and writes its own stack in the handler; all are asked first and
// waited for together, `limit` of real time in all. Any thread, several at once.
//
// The signal: a real-time one that has no handler when the first stack is taken, looked
// for from SIGRTMAX down, with SA_RESTART and SA_ONSTACK. If the host takes it over later,
// the next capture sees that and looks for another one. What a handler does to a thread
// happens here too: a poll, a sleep or a read with a timeout may end with EINTR.
//
// The unwinder is libgcc's, by the tables that every x86-64 and AArch64 function has:
// frame pointers, which Abseil's unwinder follows, are left out by -O2 and in Debian's
// libraries. In a handler it must neither allocate nor lock:
//   - it finds the tables by _dl_find_object (glibc 2.35, libgcc 12), which is lock-free and
//     async-signal-safe; the older dl_iterate_phdr takes the loader's lock, which the
//     interrupted thread may hold. With an older C library no stack is taken;
//   - a program that registers tables by hand (__register_frame: some JIT compilers) makes
//     libgcc 12 look for them under a mutex. A thread that is interrupted inside such a
//     registration would wait for itself: those programs should not use a heartbeat;
//   - what it does on first use, and the binding of its symbols, is done before.
//
// Under ThreadSanitizer a handler runs at the thread's next call into its runtime: a loop
// without one is not answered for, and the frames above the interrupted one are its own.
[[nodiscard]] std::vector<CapturedStack> CaptureStacks(std::span<const int32_t> threads,
                                                       std::chrono::nanoseconds limit);

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_STACK_CAPTURE_H_
