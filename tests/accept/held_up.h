#ifndef TASKVISOR_TESTS_ACCEPT_HELD_UP_H_
#define TASKVISOR_TESTS_ACCEPT_HELD_UP_H_

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace taskvisor::testing {

// HeldUp
//
// How long the calling thread could have run and was not let onto a core: the kernel's own
// account of its time in a run queue (/proc/thread-self/schedstat). One thread.
class HeldUp {
 public:
  HeldUp() : file_(open("/proc/thread-self/schedstat", O_RDONLY)) {}
  ~HeldUp() { close(file_); }
  HeldUp(const HeldUp&) = delete;
  HeldUp& operator=(const HeldUp&) = delete;

  // Call it often. `now`: steady_clock, ns.
  void Sample(int64_t now) {
    if (now - Latest().at < kSpacing) return;
    const Account account{now, Read()};
    accounts_[++count_ % accounts_.size()] = account;
  }

  // At least so much of the time from `from` to the last sample; 0 if the kernel does not
  // say or `from` is too long ago.
  [[nodiscard]] int64_t AtLeastSince(int64_t from) const {
    const uint64_t oldest = count_ - std::min<uint64_t>(count_, accounts_.size() - 1);
    for (uint64_t i = count_; i > oldest; --i) {
      const Account& account = accounts_[i % accounts_.size()];
      // What came between that sample and `from` may all have been waiting.
      if (account.at <= from) return Latest().waited - account.waited - (from - account.at);
    }
    return 0;
  }

 private:
  struct Account {
    int64_t at = 0;
    int64_t waited = 0;
  };
  static constexpr int64_t kSpacing = 50'000;  // ns; a sample costs 1 to 2 us

  [[nodiscard]] const Account& Latest() const { return accounts_[count_ % accounts_.size()]; }
  [[nodiscard]] int64_t Read() const {
    std::array<char, 96> text{};
    long ran = 0;
    long waited = 0;
    if (pread(file_, text.data(), text.size() - 1, 0) <= 0) return 0;
    return std::sscanf(text.data(), "%ld %ld", &ran, &waited) == 2 ? waited : 0;
  }

  const int file_;
  uint64_t count_ = 0;
  std::array<Account, 8192> accounts_{};
};

// Seconds that the host of a virtual machine has given to others while this machine had
// something to run, over all cores, since it was started.
inline double StolenSeconds() {
  unsigned long ticks = 0;
  if (std::FILE* stat = std::fopen("/proc/stat", "r")) {
    if (std::fscanf(stat, "cpu %*u %*u %*u %*u %*u %*u %*u %lu", &ticks) != 1) ticks = 0;
    std::fclose(stat);
  }
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_ACCEPT_HELD_UP_H_
