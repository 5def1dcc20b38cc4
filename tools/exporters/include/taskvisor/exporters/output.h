#ifndef TASKVISOR_EXPORTERS_OUTPUT_H_
#define TASKVISOR_EXPORTERS_OUTPUT_H_

#include <atomic>
#include <cstdio>
#include <ostream>
#include <string_view>

namespace taskvisor::exporters {

// Output
//
// Where an exporter writes: a FILE or a stream, which stays the caller's and must live
// longer than the exporter. The first write that fails ends the writing: what follows is
// dropped, and `failed` says so from then on, `error` why: errno, or EIO where that is not known.
//
// Write and Flush: one thread at a time. failed, error: any thread.
class Output {
 public:
  Output(std::FILE* file) : file_(file) {}            // NOLINT(google-explicit-constructor)
  Output(std::ostream& stream) : stream_(&stream) {}  // NOLINT(google-explicit-constructor)
  Output(Output&& other) noexcept : file_(other.file_), stream_(other.stream_) {}

  void Write(std::string_view text);
  void Flush();

  [[nodiscard]] bool failed() const { return error() != 0; }
  // 0: none.
  [[nodiscard]] int error() const { return error_.load(std::memory_order_relaxed); }

 private:
  void Fail(int error);

  std::FILE* file_ = nullptr;
  std::ostream* stream_ = nullptr;
  std::atomic<int> error_{0};  // relaxed: it is all there is to see
};

}  // namespace taskvisor::exporters

#endif  // TASKVISOR_EXPORTERS_OUTPUT_H_
