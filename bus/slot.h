#ifndef TASKVISOR_BUS_SLOT_H_
#define TASKVISOR_BUS_SLOT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "sched/atomic.h"

namespace taskvisor::internal {

// Bytes of text behind a record: its member `text_size`, or none if it has no such member.
template <class T>
size_t TextSizeOf(const T& record) {
  if constexpr (requires { record.text_size; }) {
    return record.text_size;
  } else {
    return 0;
  }
}

// Slot<T>
//
// Two cache lines of a lane: a stamp, a record, and as much text as fits behind it. Longer
// text goes on in the slots that follow, all of each but its stamp: those are never looked
// at for a stamp. A short record writes to the first line only.
//
//   stamp:  | ticket : 62 | lossy : 1 | any : 1 |     0: never written
//     ticket  where the ring's word has its count, so that it is stamped as it was drawn
//     lossy   the lane lost records just before this one: `lost_before` says how many ever
template <class T>
struct alignas(kCacheLine) Slot {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr size_t kSize = 2 * kCacheLine;
  static constexpr size_t kStamp = sizeof(uint64_t);
  static constexpr size_t kLost = sizeof(uint64_t);
  static_assert(kStamp + sizeof(T) + kLost < kSize && alignof(T) <= kStamp);
  static constexpr size_t kFirst = kSize - kStamp - sizeof(T) - kLost;  // text in the first slot
  static constexpr size_t kNext = kSize - kStamp;                       // and in each further one

  static constexpr uint32_t kLossy = 2;
  static constexpr int kTicketShift = 2;

  // How many slots a record with so much text takes.
  static constexpr uint32_t SpanOf(size_t text_size) {
    if (text_size <= kFirst) return 1;
    return 1 + static_cast<uint32_t>((text_size - kFirst + kNext - 1) / kNext);
  }

  Atomic<uint64_t> stamp{0};
  T record;
  char text[kFirst];
  char lost_before[kLost];  // a uint64_t, written only if the stamp says so
};

// SlotText<T>
//
// The text of the record at `position`, over as many slots as it takes: write it with
// Append, or read it with CopyTo, from its beginning.
template <class T>
class SlotText {
 public:
  SlotText(Slot<T>* slots, uint32_t mask, uint32_t position)
      : slots_(slots),
        mask_(mask),
        position_(position),
        at_(slots[position & mask].text),
        room_(Slot<T>::kFirst) {}

  void Append(std::string_view text) {
    if (char* const to = Room(text.size()); to != nullptr) [[likely]] {
      std::memcpy(to, text.data(), text.size());
      return Advance(text.size());
    }
    ForParts(text.size(), [&](char* part, size_t size) {
      std::memcpy(part, text.data(), size);
      text.remove_prefix(size);
    });
  }

  // For who writes `size` bytes itself: where they go, all in one place, if they fit; else
  // null. What was really written is then told by Advance.
  [[nodiscard]] char* Room(size_t size) const { return size <= room_ ? at_ : nullptr; }
  void Advance(size_t size) {
    at_ += size;
    room_ -= size;
  }

  void CopyTo(char* to, size_t size) {
    ForParts(size, [&](const char* part, size_t part_size) {
      std::memcpy(to, part, part_size);
      to += part_size;
    });
  }

 private:
  template <class Use>
  void ForParts(size_t size, Use use) {
    while (size > 0) {
      if (room_ == 0) NextSlot();
      const size_t part = std::min(size, room_);
      use(at_, part);
      at_ += part;
      room_ -= part;
      size -= part;
    }
  }

  void NextSlot() {
    Slot<T>& slot = slots_[++position_ & mask_];
    at_ = reinterpret_cast<char*>(&slot) + Slot<T>::kStamp;
    room_ = Slot<T>::kNext;
  }

  Slot<T>* const slots_;
  const uint32_t mask_;
  uint32_t position_;
  char* at_;
  size_t room_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_SLOT_H_
