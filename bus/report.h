#ifndef TASKVISOR_BUS_REPORT_H_
#define TASKVISOR_BUS_REPORT_H_

#include <array>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace taskvisor::internal {

// The text of a report, in place: reports are also made when there is no memory, and of that.
class ReportText {
 public:
  static constexpr size_t kCapacity = 576;

  // As SlotText's. REQUIRES: room for it.
  void Append(std::string_view part) {
    assert(part.size() <= kCapacity - size_);
    if (part.empty()) return;
    std::memcpy(bytes_.data() + size_, part.data(), part.size());
    Advance(part.size());
  }
  [[nodiscard]] char* Room(size_t size) {
    return size <= kCapacity - size_ ? bytes_.data() + size_ : nullptr;
  }
  void Advance(size_t size) { size_ += size; }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  size_t size_ = 0;
  std::array<char, kCapacity> bytes_;  // written up to size_
};

// A record that the bus makes itself. The text: TextSizeOf(record) bytes.
template <class T>
struct Report {
  T record;
  ReportText text = {};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_REPORT_H_
