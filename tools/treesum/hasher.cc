#include "tools/treesum/hasher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "tools/treesum/read_error.h"

namespace taskvisor::treesum {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

// O_NONBLOCK: what has become a FIFO since it was found must not stop the worker.
// O_NOFOLLOW: what has become a symlink is not what was found.
int Open(const File& file) {
  const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (file.operand ? 0 : O_NOFOLLOW);
  int descriptor;
  do {
    descriptor = open(file.path.c_str(), flags);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

ssize_t Read(int descriptor, char* buffer) {
  ssize_t size;
  do {
    size = read(descriptor, buffer, kChunk);
  } while (size < 0 && errno == EINTR);
  return size;
}

bool Unchanged(const struct stat& before, const struct stat& after) {
  return before.st_size == after.st_size && before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
         before.st_mtim.tv_nsec == after.st_mtim.tv_nsec;
}

TaskResult Stopped(const TaskContext& context) {
  if (context.Cause() == CancelCause::kTimeout) return TimedOut("timed out while reading");
  return Cancelled();
}

TaskResult Changed() { return Fail("file changed while it was read"); }

// What a worker keeps from file to file.
struct Workspace {
  Sha256 sha;
  std::unique_ptr<char[]> buffer = std::make_unique<char[]>(kChunk);
};

// The bytes of one attempt on the common count, unless it fails.
class Tally {
 public:
  explicit Tally(std::atomic<uint64_t>& total) : total_(total) {}
  ~Tally() {
    if (!kept_) total_.fetch_sub(own_, std::memory_order_relaxed);
  }
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;
  // relaxed: a count for a progress bar.
  void Add(uint64_t n) { own_ += n, total_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t count() const { return own_; }
  uint64_t Keep() { return kept_ = true, own_; }

 private:
  std::atomic<uint64_t>& total_;
  uint64_t own_ = 0;
  bool kept_ = false;
};

}  // namespace

TaskResult HashFile(TaskContext& context, const File& file, FileHash& hash,
                    std::atomic<uint64_t>& bytes_read, Duration pause) {
  thread_local Workspace workspace;
  const Descriptor input(Open(file));
  struct stat before;
  if (input.get() < 0 || fstat(input.get(), &before) != 0) return ReadFailure(errno);
  if (!S_ISREG(before.st_mode)) return Fatal("not a regular file any more");

  Tally tally(bytes_read);
  workspace.sha.Reset();
  for (;;) {
    if (context.Cancelled()) return Stopped(context);
    if (pause > Duration::zero() && !context.SleepFor(pause)) return Stopped(context);
    const ssize_t size = Read(input.get(), workspace.buffer.get());
    if (size < 0) return ReadFailure(errno);
    if (size == 0) break;
    workspace.sha.Update(workspace.buffer.get(), static_cast<size_t>(size));
    tally.Add(static_cast<uint64_t>(size));
    // A file that grows as fast as it is read has no end. (Size 0: made as it is read, /proc.)
    if (before.st_size > 0 && tally.count() > static_cast<uint64_t>(before.st_size)) {
      return Changed();
    }
  }

  struct stat after;
  if (fstat(input.get(), &after) != 0) return ReadFailure(errno);
  if (!Unchanged(before, after)) return Changed();
  hash = {workspace.sha.Finish(), tally.Keep()};
  return Ok();
}

}  // namespace taskvisor::treesum
