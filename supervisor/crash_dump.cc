#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is not in <csignal>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sched/atomic.h"
#include "supervisor/flight_recorder.h"
#include "supervisor/line_buffer.h"
#include "supervisor/runtime.h"
#include "supervisor/status.h"
#include "taskvisor/flight_recorder.h"

namespace taskvisor {
namespace internal {
namespace {

struct Crash {
  int signal;
  std::string_view name;
};
constexpr std::array<Crash, 5> kCrashes{{{SIGSEGV, "SIGSEGV"},
                                         {SIGBUS, "SIGBUS"},
                                         {SIGILL, "SIGILL"},
                                         {SIGFPE, "SIGFPE"},
                                         {SIGABRT, "SIGABRT"}}};
constexpr size_t kStackBytes = size_t{64} << 10;
constexpr int kNaps = 100;
constexpr timespec kNap{0, 10'000'000};
// The fan-out thread still runs: what the crashed one published last gets this long to
// come to the recorder.
constexpr timespec kArrival{0, 20'000'000};

// Never freed: a handler may be reading it at any time.
struct Registration {
  std::shared_ptr<const FlightRecorder> recorder;
  std::shared_ptr<Baton> baton;  // of the bus that it records
  int fd;
};

// A slot is filled once (release) and stays; the handler's acquire pairs with that.
constinit std::array<Atomic<const Registration*>, kMaxCrashDumps> g_registrations{};
// Written before the handler of its signal is installed, and never again.
constinit std::array<struct sigaction, kCrashes.size()> g_previous{};
// The thread that dumps; 0 = nobody.
constinit Atomic<pid_t> g_dumper{0};

static_assert(Atomic<const Registration*>::is_always_lock_free);
static_assert(Atomic<pid_t>::is_always_lock_free);

size_t IndexOf(int signal) {
  size_t i = 0;
  while (i + 1 < kCrashes.size() && kCrashes[i].signal != signal) ++i;
  return i;
}

void RouseAll() {
  for (const auto& slot : g_registrations) {
    const Registration* const registration = slot.load(std::memory_order_acquire);
    if (registration != nullptr) registration->baton->RouseUnattended();
  }
}

void DumpAll(int signal) {
  for (const auto& slot : g_registrations) {
    const Registration* const registration = slot.load(std::memory_order_acquire);
    if (registration == nullptr) continue;
    LineBuffer line;
    line.Text("taskvisor: ").Text(kCrashes[IndexOf(signal)].name);
    line.Text(", the last events, oldest first:\n");
    if (::write(registration->fd, line.view().data(), line.view().size()) < 0) continue;
    registration->recorder->Dump(registration->fd);
  }
}

// acquire and release: the next dumper's writes come after this one's.
void DumpOnce(int signal) {
  const pid_t self = gettid();
  pid_t dumper = 0;
  if (g_dumper.compare_exchange_strong(dumper, self, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
    RouseAll();
    ::nanosleep(&kArrival, nullptr);
    DumpAll(signal);
    g_dumper.store(0, std::memory_order_release);
    return;
  }
  if (dumper == self) return;  // the dump itself crashed: leave it at that
  // What comes next may end the process, and with it the other thread's dump.
  for (int nap = 0; nap < kNaps && g_dumper.load(std::memory_order_acquire) == dumper; ++nap) {
    ::nanosleep(&kNap, nullptr);
  }
}

// A reader of `fd` that has gone away must not turn a crash into a SIGPIPE.
void DumpWithoutSigPipe(int signal) {
  sigset_t pipe;
  sigset_t old;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &old);
  DumpOnce(signal);
  if (sigismember(&old, SIGPIPE) == 1) return;
  constexpr timespec kNow{0, 0};
  sigtimedwait(&pipe, nullptr, &kNow);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

void DieByDefault(int signal) {
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  sigaction(signal, &by_default, nullptr);
  raise(signal);
  // Still here (as the first process of a container): the faulting instruction is next.
}

void Chain(int signal, siginfo_t* info, void* context) {
  const struct sigaction& previous = g_previous[IndexOf(signal)];
  const bool with_info = (previous.sa_flags & SA_SIGINFO) != 0;
  // Ignoring is for signals that were sent: the kernel's own kill all the same.
  if (!with_info && previous.sa_handler == SIG_IGN && info->si_code <= 0) return;
  if (!with_info && (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN)) {
    return DieByDefault(signal);
  }
  if ((previous.sa_flags & static_cast<int>(SA_RESETHAND)) != 0) {
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    sigaction(signal, &by_default, nullptr);
  }
  // As if the kernel had called it: a crash in there ends the process, instead of coming
  // back to us.
  sigset_t blocked = previous.sa_mask;
  if ((previous.sa_flags & SA_NODEFER) == 0) sigaddset(&blocked, signal);
  sigset_t old;
  pthread_sigmask(SIG_BLOCK, &blocked, &old);
  with_info ? previous.sa_sigaction(signal, info, context) : previous.sa_handler(signal);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

// Installed with SA_NODEFER, so that a crash in the dump comes back here.
void OnCrash(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  DumpWithoutSigPipe(signal);
  errno = saved_errno;
  Chain(signal, info, context);
}

// All previous handlers are known before the first of ours can run. 0 or an errno.
int InstallHandlers() {
  for (size_t i = 0; i < kCrashes.size(); ++i) {
    if (sigaction(kCrashes[i].signal, nullptr, &g_previous[i]) != 0) return errno;
  }
  struct sigaction ours {};
  ours.sa_sigaction = OnCrash;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&ours.sa_mask);
  for (const Crash& crash : kCrashes) {
    if (sigaction(crash.signal, &ours, nullptr) != 0) return errno;
  }
  return 0;
}

// The alternate signal stack of a thread that has none; goes with the thread.
class AlternateStack {
 public:
  AlternateStack() = default;
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;
  ~AlternateStack() {
    stack_t now{};
    if (memory_ == nullptr || sigaltstack(nullptr, &now) != 0) return;
    if (now.ss_sp == memory_) {
      now.ss_flags = SS_DISABLE;
      sigaltstack(&now, nullptr);
    }
    munmap(memory_, kStackBytes);
  }

  // 0 or an errno.
  int Ensure() {
    stack_t now{};
    if (sigaltstack(nullptr, &now) != 0) return errno;
    if ((now.ss_flags & SS_DISABLE) == 0) return 0;
    if (memory_ == nullptr) {
      void* const memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
      if (memory == MAP_FAILED) return errno;
      memory_ = memory;
    }
    stack_t ours{};
    ours.ss_sp = memory_;
    ours.ss_size = kStackBytes;
    return sigaltstack(&ours, nullptr) == 0 ? 0 : errno;
  }

 private:
  void* memory_ = nullptr;
};

absl::Status SetupFailed(int error) {
  return Error(absl::StatusCode::kFailedPrecondition, "crash_dump_setup_failed",
               absl::StrCat("no crash handler could be installed: errno ", error));
}

absl::Status Register(SubscriberSet& set, int fd) {
  auto mine = std::make_unique<const Registration>(
      Registration{set.recorder(), set.bus().shared_baton(), fd});
  for (auto& slot : g_registrations) {
    const Registration* there = nullptr;
    if (slot.compare_exchange_strong(there, mine.get(), std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      static_cast<void>(mine.release());
      return absl::OkStatus();
    }
    if (there->recorder == mine->recorder && there->fd == fd) return absl::OkStatus();
  }
  return Error(absl::StatusCode::kResourceExhausted, "crash_dump_table_full",
               absl::StrCat("the crash dumps of ", kMaxCrashDumps, " supervisors are installed"));
}

}  // namespace
}  // namespace internal

absl::Status InstallCrashDump(const SupervisorHandle& handle, int fd) {
  thread_local internal::AlternateStack stack;
  if (const int error = stack.Ensure(); error != 0) return internal::SetupFailed(error);
  internal::Runtime& runtime = internal::RuntimeAccess::Of(handle);
  absl::Status status = internal::Register(runtime.subscribers(), fd);
  if (!status.ok()) return status;
  static const int installed = internal::InstallHandlers();
  return installed == 0 ? absl::OkStatus() : internal::SetupFailed(installed);
}

}  // namespace taskvisor
