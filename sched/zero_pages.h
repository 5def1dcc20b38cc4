#ifndef TASKVISOR_SCHED_ZERO_PAGES_H_
#define TASKVISOR_SCHED_ZERO_PAGES_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <new>

namespace taskvisor::internal {

// Zeroed memory, aligned to a page, that takes up none until it is touched: for arrays
// that are large by configuration and mostly unused.
class ZeroPages {
 public:
  explicit ZeroPages(size_t bytes) noexcept
      : bytes_(bytes),
        data_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  ~ZeroPages() {
    if (data_ != MAP_FAILED) munmap(data_, bytes_);
  }
  ZeroPages(const ZeroPages&) = delete;
  ZeroPages& operator=(const ZeroPages&) = delete;

  // Null if there was no memory.
  [[nodiscard]] void* data() const { return data_ == MAP_FAILED ? nullptr : data_; }

  // Takes up the memory of these bytes now: a page costs a sixth of what it costs when it is first
  // read and then written. Where the system cannot, each comes when it is touched.
  void TakeUp(size_t from, size_t bytes) const noexcept {
#ifdef MADV_POPULATE_WRITE
    const size_t in_page = from % static_cast<size_t>(sysconf(_SC_PAGESIZE));
    static_cast<void>(
        madvise(static_cast<char*>(data_) + from - in_page, bytes + in_page, MADV_POPULATE_WRITE));
#else
    static_cast<void>(from), static_cast<void>(bytes);
#endif
  }

 private:
  const size_t bytes_;
  void* const data_;
};

// As many Ts, for which zero bytes are one; none is destroyed.
template <class T>
class ZeroArray {
 public:
  explicit ZeroArray(size_t count) : memory_(count * sizeof(T)) {
    if (memory_.data() == nullptr) throw std::bad_alloc();
  }
  [[nodiscard]] T& operator[](size_t i) const { return static_cast<T*>(memory_.data())[i]; }

 private:
  const ZeroPages memory_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_ZERO_PAGES_H_
