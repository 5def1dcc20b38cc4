#ifndef TASKVISOR_SUPERVISOR_PAYLOAD_H_
#define TASKVISOR_SUPERVISOR_PAYLOAD_H_

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "supervisor/text.h"
#include "taskvisor/event.h"

namespace taskvisor::internal {

// The payload of GraceExceeded, readable where a status is printed: decimal numbers,
// each with a space behind it, and texts as "<size>:<bytes> ".
class PayloadWriter {
 public:
  template <class T>
  void Number(T value) {
    absl::StrAppend(&bytes_, value, " ");
  }
  void Text(std::string_view text) {
    absl::StrAppend(&bytes_, text.size(), ":", ToAbsl(text), " ");
  }
  void Events(const std::vector<Event>& events);
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what a PayloadWriter wrote, in the same order. Whatever the bytes are, it reads
// nothing beyond them; what is missing is 0 or empty.
class PayloadReader {
 public:
  explicit PayloadReader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  T Number() {
    T value{};
    const auto end = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value).ptr;
    Skip(static_cast<size_t>(end - rest_.data()) + 1);
    return value;
  }
  std::string Text() {
    const auto size = Number<size_t>();
    std::string text(rest_.substr(0, size));
    Skip(size + 1);
    return text;
  }
  std::vector<Event> Events(size_t most);

 private:
  void Skip(size_t count) { rest_.remove_prefix(std::min(count, rest_.size())); }
  std::string_view rest_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_PAYLOAD_H_
