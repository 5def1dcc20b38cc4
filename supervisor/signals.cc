#include "supervisor/signals.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sched/atomic.h"
#include "supervisor/status.h"

namespace taskvisor::internal {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGQUIT};

// The watching thread, for the handler; 0: none. A kernel thread id, not a pthread_t:
// a handler that runs late must not touch a thread that is gone.
Atomic<pid_t> g_watching_thread{0};
static_assert(Atomic<pid_t>::is_always_lock_free);

void Send(pid_t thread, int signal) { syscall(SYS_tgkill, getpid(), thread, signal); }

// Async-signal-safe: an atomic load and a system call.
void PassOn(int signal) {
  const int saved = errno;
  const pid_t thread = g_watching_thread.load(std::memory_order_acquire);
  if (thread != 0) Send(thread, signal);
  errno = saved;
}

// Held while a hub is made, looked up or ended; never by the hub's thread.
std::mutex& HubMutex() {
  static auto* const mutex = new std::mutex();
  return *mutex;
}

}  // namespace

// The thread and the handlers. At most one exists.
class SignalWatcher::Hub {
 public:
  // Throws std::system_error.
  Hub() {
    {
      const BlockSignals block;
      thread_ = std::thread([this] { Loop(); });
    }
    while (g_watching_thread.load(std::memory_order_acquire) == 0) std::this_thread::yield();
    struct sigaction action {};
    action.sa_handler = &PassOn;
    action.sa_flags = SA_RESTART;
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &old_[i]);
  }

  ~Hub() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &old_[i], nullptr);
    stop_.store(true, std::memory_order_release);
    Send(g_watching_thread.exchange(0, std::memory_order_acq_rel), SIGTERM);  // out of sigwait
    thread_.join();
  }

  void Add(SignalWatcher* watcher) {
    std::lock_guard lock(mutex_);
    watchers_.push_back(watcher);
  }
  void Remove(SignalWatcher* watcher) {
    std::lock_guard lock(mutex_);
    std::erase(watchers_, watcher);
  }

  static std::shared_ptr<Hub> Get() {
    static auto* const current = new std::weak_ptr<Hub>();
    std::shared_ptr<Hub> hub = current->lock();
    if (hub == nullptr) *current = hub = std::make_shared<Hub>();
    return hub;
  }

 private:
  void Loop() {
    pthread_setname_np(pthread_self(), "tv-signals");
    g_watching_thread.store(static_cast<pid_t>(syscall(SYS_gettid)), std::memory_order_release);
    sigset_t watched;
    sigemptyset(&watched);
    for (const int signal : kSignals) sigaddset(&watched, signal);
    while (true) {
      int signal = 0;
      if (sigwait(&watched, &signal) != 0) continue;
      if (stop_.load(std::memory_order_acquire)) return;
      std::lock_guard lock(mutex_);
      for (SignalWatcher* watcher : watchers_) watcher->on_signal_(signal);
    }
  }

  std::array<struct sigaction, kSignals.size()> old_{};
  Atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<SignalWatcher*> watchers_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<SignalWatcher>> SignalWatcher::Install(
    std::function<void(int)> on_signal) {
  std::unique_ptr<SignalWatcher> watcher;
  try {
    watcher.reset(new SignalWatcher());
    watcher->on_signal_ = std::move(on_signal);
    {
      std::lock_guard lock(HubMutex());
      watcher->hub_ = Hub::Get();
    }
    watcher->hub_->Add(watcher.get());
  } catch (const std::exception& error) {  // no thread, or no memory
    return SignalSetupFailed(error.what());
  }
  return watcher;
}

SignalWatcher::~SignalWatcher() {
  if (hub_ == nullptr) return;
  hub_->Remove(this);
  std::lock_guard lock(HubMutex());
  hub_.reset();
}

BlockSignals::BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old_);
}

BlockSignals::~BlockSignals() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }

}  // namespace taskvisor::internal
