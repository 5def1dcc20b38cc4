// InstallCrashDump. Everything in children: the handlers and the table are the process's.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is not in <csignal>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "taskvisor/flight_recorder.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"
#include "tests/support/sanitizers.h"

namespace taskvisor::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::ExitedWithCode;
using ::testing::KilledBySignal;

constexpr char kStarting[] = "SIGSEGV, the last events.*task_starting task=crasher id=";

class CrashDumpDeathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kThreadSanitizer || kAddressSanitizer) GTEST_SKIP() << "a sanitizer owns the signals";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

void Write(std::string_view text) { static_cast<void>(!::write(2, text.data(), text.size())); }

void Fault() {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
}

// A supervisor whose one task crashes when its start has been recorded.
void CrashInABody(void (*crash)()) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  if (!InstallCrashDump(handle).ok()) std::_Exit(99);
  Gate recorded;
  const auto body = [&] {
    recorded.Pass();
    crash();
  };
  if (!handle.Add(TaskSpec::Once("crasher", body)).ok()) std::_Exit(98);
  if (!harness.recorder->Await(Recorder::Is(EventKind::kTaskStarting))) std::_Exit(97);
  recorded.Open();
  std::this_thread::sleep_for(kPatience);
}

void InstallForHost(int signal, int flags, void (*plain)(int)) {
  struct sigaction action {};
  action.sa_flags = flags;
  if ((flags & SA_SIGINFO) != 0) {
    action.sa_sigaction = [](int number, siginfo_t* info, void* context) {
      const bool right = number == SIGSEGV && info->si_addr == nullptr && context != nullptr;
      Write("the host's own");
      _exit(right ? 42 : 1);
    };
  } else {
    action.sa_handler = plain;
  }
  sigaction(signal, &action, nullptr);
}

TEST_F(CrashDumpDeathTest, AFaultInABodyIsDumpedAndStillKills) {
  EXPECT_EXIT(CrashInABody(Fault), KilledBySignal(SIGSEGV), ContainsRegex(kStarting));
}

TEST_F(CrashDumpDeathTest, SoIsAnAbort) {
  EXPECT_EXIT(CrashInABody(std::abort), KilledBySignal(SIGABRT),
              ContainsRegex("SIGABRT, the last events.*task_starting task=crasher"));
}

TEST_F(CrashDumpDeathTest, TheHostsPlainHandlerIsCalledAfterTheDump) {
  const auto run = [] {
    InstallForHost(SIGSEGV, 0, [](int) {
      Write("the host's own");
      _exit(41);
    });
    CrashInABody(Fault);
  };
  EXPECT_EXIT(run(), ExitedWithCode(41),
              ContainsRegex("task_starting task=crasher.*the host's own"));
}

TEST_F(CrashDumpDeathTest, TheHostsHandlerWithInfoIsCalledAfterTheDump) {
  const auto run = [] {
    InstallForHost(SIGSEGV, SA_SIGINFO, nullptr);
    CrashInABody(Fault);
  };
  EXPECT_EXIT(run(), ExitedWithCode(42),
              ContainsRegex("task_starting task=crasher.*the host's own"));
}

TEST_F(CrashDumpDeathTest, ACrashInTheHostsHandlerEndsTheProcess) {
  const auto run = [] {
    InstallForHost(SIGSEGV, 0, [](int) { Fault(); });
    CrashInABody(Fault);
  };
  EXPECT_EXIT(run(), KilledBySignal(SIGSEGV), ContainsRegex(kStarting));
}

TEST_F(CrashDumpDeathTest, ASignalThatTheHostHandlesIsDumpedEachTime) {
  const auto run = [] {
    InstallForHost(SIGFPE, 0, [](int) { Write("handled;"); });
    Harness harness;
    if (!InstallCrashDump(harness.Serve()).ok()) std::_Exit(99);
    raise(SIGFPE);
    raise(SIGFPE);
    std::_Exit(0);
  };
  EXPECT_EXIT(run(), ExitedWithCode(0),
              ContainsRegex("SIGFPE, the last.*handled;.*SIGFPE, the last.*handled;"));
}

TEST_F(CrashDumpDeathTest, TheEventsOutliveTheSupervisor) {
  const auto run = [] {
    {
      Harness harness;
      const SupervisorHandle handle = harness.Serve();
      if (!InstallCrashDump(handle).ok()) std::_Exit(99);
      const auto task = handle.AddAndWatch(TaskSpec::Once("crasher", DoNothing));
      if (!task.ok() || !task->waiter.Wait().ok()) std::_Exit(98);
      if (!handle.Shutdown().ok()) std::_Exit(97);
    }
    Fault();
  };
  EXPECT_EXIT(run(), KilledBySignal(SIGSEGV), ContainsRegex(kStarting));
}

[[gnu::noinline]] int Overflow(int depth) {  // NOLINT: recursion is what it is for
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : Overflow(depth + 1) + frame[0];
}

TEST_F(CrashDumpDeathTest, AStackOverflowOfTheInstallingThreadIsDumped) {
  const auto run = [] {
    Harness harness;
    if (!InstallCrashDump(harness.Serve()).ok()) std::_Exit(99);
    static_cast<void>(Overflow(0));
  };
  EXPECT_EXIT(run(), KilledBySignal(SIGSEGV), ContainsRegex("SIGSEGV, the last"));
}

// A dump that is stuck in write(2) stands for one that crashes: the signal comes to the
// thread that dumps. It must not dump again, nor wait for itself.
TEST_F(CrashDumpDeathTest, ACrashInTheDumpEndsIt) {
  const auto run = [] {
    Harness harness;
    int ends[2];
    if (::pipe(ends) != 0) std::_Exit(99);
    const int room = ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
    for (int i = 0; i < room - 60; ++i) static_cast<void>(!::write(ends[1], "x", 1));
    const SupervisorHandle handle = harness.Serve();
    if (!InstallCrashDump(handle, ends[1]).ok()) std::_Exit(98);
    if (!handle.Add(TaskSpec::Once("crasher", DoNothing)).ok()) std::_Exit(97);
    if (!harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoved))) std::_Exit(96);
    std::thread dumper([] { raise(SIGABRT); });
    const bool inside = Eventually([&] {
      int queued = 0;
      return ::ioctl(ends[0], FIONREAD, &queued) == 0 && queued > room - 60;
    });
    if (!inside) std::_Exit(95);
    pthread_kill(dumper.native_handle(), SIGSEGV);
    dumper.join();
  };
  EXPECT_EXIT(run(), KilledBySignal(SIGSEGV), "");
}

TEST_F(CrashDumpDeathTest, AReaderThatIsGoneDoesNotTurnItIntoASigPipe) {
  const auto run = [] {
    Harness harness;
    int ends[2];
    if (::pipe(ends) != 0 || ::close(ends[0]) != 0) std::_Exit(99);
    if (!InstallCrashDump(harness.Serve(), ends[1]).ok()) std::_Exit(98);
    Fault();
  };
  EXPECT_EXIT(run(), KilledBySignal(SIGSEGV), "");
}

TEST_F(CrashDumpDeathTest, TheTableHasSixteenPlaces) {
  const auto run = [] {
    std::vector<std::unique_ptr<Harness>> harnesses;
    for (size_t i = 0; i < kMaxCrashDumps; ++i) {
      harnesses.push_back(std::make_unique<Harness>());
      for (int twice = 0; twice < 2; ++twice) {
        if (!InstallCrashDump(harnesses.back()->Serve()).ok()) std::_Exit(99);
      }
    }
    Harness last;
    const absl::Status full = InstallCrashDump(last.Serve());
    const bool right = full.code() == absl::StatusCode::kResourceExhausted &&
                       ErrorLabel(full) == "crash_dump_table_full";
    std::_Exit(right ? 0 : 1);
  };
  EXPECT_EXIT(run(), ExitedWithCode(0), "");
}

}  // namespace
}  // namespace taskvisor::testing
