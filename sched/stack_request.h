#ifndef TASKVISOR_SCHED_STACK_REQUEST_H_
#define TASKVISOR_SCHED_STACK_REQUEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sched/atomic.h"

namespace taskvisor::internal {

inline constexpr size_t kMaxFrames = 48;

// StackRequest
//
// Where one thread leaves its call stack for another one that has asked for it: the
// handshake between an asker, with limited patience, and a signal handler that may run at
// once, late, or never.
//
//            TryAsk              TryEnter               Leave
//   kFree ───────────▶ kAsked ────────────▶ kWriting ───────────▶ kWritten
//     ▲                  │                     │                     │
//     │  GiveUp          │                     │ GiveUp              │ Release
//     ├──────────────────┘                     ▼                     │
//     ├◀──────────── Leave ───────────────── kLeft                   │
//     └◀─────────────────────────────────────────────────────────────┘
//      the asker: TryAsk, GiveUp, Release;  the handler: TryEnter, Leave
//
// Word:  | number : 29 | state : 3 |. The number goes up with each TryAsk and travels with
// the signal: a handler that comes late carries an old one and is refused inside the
// compare-and-swap, so it writes nothing. One that has entered keeps the place (kLeft)
// until it is out, whether or not somebody still waits.
//
// Who owns `frames` and `size`: in kWriting and kLeft the handler, in kWritten the asker.
// Memory is never freed: places are static. Progress: every transition is lock-free, and
// async-signal-safe.
class StackRequest {
 public:
  enum State : uint32_t { kFree, kAsked, kWriting, kWritten, kLeft };

  // The number of the request, if the place was free.
  [[nodiscard]] std::optional<uint32_t> TryAsk() {
    const auto asked = UpdateIf(
        word_, [](uint32_t w) { return (w & kStateMask) == kFree; },
        [](uint32_t w) { return ((w & ~kStateMask) + kNumberOne) | kAsked; });
    if (!asked) return std::nullopt;
    return ((asked.seen >> kStateBits) + 1) & kNumberMask;
  }

  // False: nobody waits for that request any more.
  [[nodiscard]] bool TryEnter(uint32_t number) {
    return UpdateIf(
               word_, [=](uint32_t w) { return w == (number << kStateBits | kAsked); },
               [](uint32_t w) { return (w & ~kStateMask) | kWriting; })
        .done;
  }

  void Leave() {
    static_cast<void>(UpdateIf(
        word_, [](uint32_t) { return true; },
        [](uint32_t w) {
          return (w & ~kStateMask) | ((w & kStateMask) == kWriting ? kWritten : kFree);
        }));
  }

  // False: the stack has come all the same, and the asker owes Release.
  [[nodiscard]] bool GiveUp() {
    return UpdateIf(
               word_, [](uint32_t w) { return (w & kStateMask) != kWritten; },
               [](uint32_t w) {
                 return (w & ~kStateMask) | ((w & kStateMask) == kAsked ? kFree : kLeft);
               })
        .done;
  }

  // The asker has read the stack. release: the next handler writes after that.
  void Release() { word_.fetch_and(~kStateMask, std::memory_order_acq_rel); }

  // acquire: pairs with Leave; in kWritten the stack is there.
  [[nodiscard]] uint32_t Load() const { return word_.load(std::memory_order_acquire); }
  [[nodiscard]] static State StateOf(uint32_t word) {
    return static_cast<State>(word & kStateMask);
  }
  // To sleep on while it holds what Load has answered.
  [[nodiscard]] Atomic<uint32_t>& word() { return word_; }

  std::array<uintptr_t, kMaxFrames> frames{};
  size_t size = 0;

 private:
  static constexpr int kStateBits = 3;
  static constexpr uint32_t kStateMask = (1u << kStateBits) - 1;
  static constexpr uint32_t kNumberOne = 1u << kStateBits;
  static constexpr uint32_t kNumberMask = ~uint32_t{0} >> kStateBits;

  Atomic<uint32_t> word_{kFree};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_STACK_REQUEST_H_
