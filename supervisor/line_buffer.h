#ifndef TASKVISOR_SUPERVISOR_LINE_BUFFER_H_
#define TASKVISOR_SUPERVISOR_LINE_BUFFER_H_

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace taskvisor::internal {

// LineBuffer
//
// Text made in place, for signal handlers: no allocation, no locale, no call but memcpy.
// What does not fit is left out.
class LineBuffer {
 public:
  LineBuffer() = default;  // NOLINT: the bytes stay unwritten

  LineBuffer& Text(std::string_view text) {
    const size_t size = std::min(text.size(), bytes_.size() - size_);
    if (size > 0) std::memcpy(bytes_.data() + size_, text.data(), size);
    size_ += size;
    return *this;
  }
  // Control characters as '?': a line stays one line, whatever a user's text holds.
  LineBuffer& Printable(std::string_view text) {
    const size_t begin = size_;
    Text(text);
    std::replace_if(
        bytes_.begin() + begin, bytes_.begin() + size_,
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return *this;
  }
  template <std::integral Number>
  LineBuffer& Decimal(Number value) {
    if (value < Number{0}) Text("-");
    // Negated as unsigned, which the smallest number survives.
    const auto bits = static_cast<uint64_t>(value);
    return Digits(value < Number{0} ? uint64_t{0} - bits : bits);
  }

  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  LineBuffer& Digits(uint64_t value) {
    std::array<char, 20> digits;  // of 2^64 - 1
    size_t first = digits.size();
    do {
      digits[--first] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    return Text({digits.data() + first, digits.size() - first});
  }

  // The longest line of an event: 14 numbers with their keys, 5 labels, its cut texts.
  std::array<char, 1280> bytes_;
  size_t size_ = 0;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_LINE_BUFFER_H_
