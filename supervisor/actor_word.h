#ifndef TASKVISOR_SUPERVISOR_ACTOR_WORD_H_
#define TASKVISOR_SUPERVISOR_ACTOR_WORD_H_

#include <cassert>
#include <cstdint>

namespace taskvisor::internal {

// The word that a task's life is kept in, and what it says: see actor_state.h for how it is moved.
enum class Phase : uint64_t {
  kFree,
  kReserved,
  kQueued,
  kStarting,
  kWaiting,
  kRunning,
  kSettling,
  kDelaying,
  kFinishing,
  kSuspended,
  kWoken,
  kResuming,
  kStalled,
};

inline constexpr uint64_t kPhaseMask = 0xf;
inline constexpr uint64_t kStop = 1u << 4;        // sticky: the task is to end
inline constexpr uint64_t kTimedOut = 1u << 5;    // this attempt's deadline passed
inline constexpr uint64_t kAbandoned = 1u << 6;   // the outcome is out, the body still in
inline constexpr uint64_t kPermit = 1u << 7;      // queued with a permit in hand
inline constexpr uint64_t kJoined = 1u << 8;      // somebody waits for Release
inline constexpr uint64_t kScoped = 1u << 9;      // the attempt has a CancelNode to tell
inline constexpr uint64_t kCommitted = 1u << 10;  // it became a task (TaskAdded is out)
inline constexpr uint64_t kDue = 1u << 11;        // the timer for the coming phase fired already
inline constexpr int kCauseShift = 12;
inline constexpr uint64_t kCauseMask = uint64_t{0xf} << kCauseShift;
inline constexpr int kPinShift = 16;
inline constexpr uint64_t kPinOne = uint64_t{1} << kPinShift;
inline constexpr uint64_t kPinMask = uint64_t{0x3f} << kPinShift;
inline constexpr uint64_t kCut = uint64_t{1} << 22;     // a child of this attempt has failed
inline constexpr uint64_t kSilent = uint64_t{1} << 23;  // this attempt missed its heartbeat
inline constexpr int kEpochShift = 24;
inline constexpr uint64_t kEpochOne = uint64_t{1} << kEpochShift;
// What a body's context looks at.
inline constexpr uint64_t kCancelledMask = kStop | kTimedOut | kCut;

constexpr unsigned To(Phase p) { return 1u << static_cast<unsigned>(p); }
inline constexpr unsigned kLegal[] = {
    // row: from, bit: to
    /* kFree      */ To(Phase::kReserved),
    /* kReserved  */ To(Phase::kQueued) | To(Phase::kFinishing),
    /* kQueued    */ To(Phase::kStarting) | To(Phase::kFinishing),
    /* kStarting  */ To(Phase::kRunning) | To(Phase::kWaiting) | To(Phase::kSettling) |
        To(Phase::kFinishing),
    /* kWaiting   */ To(Phase::kQueued) | To(Phase::kFinishing),
    /* kRunning   */ To(Phase::kSettling) | To(Phase::kSuspended) | To(Phase::kWoken),
    /* kSettling  */ To(Phase::kQueued) | To(Phase::kDelaying) | To(Phase::kFinishing),
    /* kDelaying  */ To(Phase::kQueued) | To(Phase::kFinishing),
    /* kFinishing */ To(Phase::kFree),
    /* kSuspended */ To(Phase::kWoken),
    /* kWoken     */ To(Phase::kResuming),
    /* kResuming  */ To(Phase::kRunning) | To(Phase::kStalled),
    /* kStalled   */ To(Phase::kWoken),
};
// In these an attempt is under way: a body was begun and has not come back.
inline constexpr unsigned kInAttempt = To(Phase::kRunning) | To(Phase::kSuspended) |
                                       To(Phase::kWoken) | To(Phase::kResuming) |
                                       To(Phase::kStalled);

struct Snapshot {
  uint64_t word = 0;

  [[nodiscard]] Phase phase() const { return static_cast<Phase>(word & kPhaseMask); }
  [[nodiscard]] bool Is(Phase p) const { return phase() == p; }
  [[nodiscard]] bool InAttempt() const { return (kInAttempt >> (word & kPhaseMask) & 1) != 0; }
  // Nothing moves it on by itself: who cancels it submits it.
  [[nodiscard]] bool Dormant() const { return Is(Phase::kSuspended) || Is(Phase::kStalled); }
  [[nodiscard]] bool cancelled() const { return (word & kCancelledMask) != 0; }
  [[nodiscard]] bool stopped() const { return (word & kStop) != 0; }
  [[nodiscard]] bool timed_out() const { return (word & kTimedOut) != 0; }
  [[nodiscard]] bool cut() const { return (word & kCut) != 0; }
  [[nodiscard]] bool abandoned() const { return (word & kAbandoned) != 0; }
  [[nodiscard]] bool has_permit() const { return (word & kPermit) != 0; }
  [[nodiscard]] bool joined() const { return (word & kJoined) != 0; }
  [[nodiscard]] bool scoped() const { return (word & kScoped) != 0; }
  [[nodiscard]] bool due() const { return (word & kDue) != 0; }
  [[nodiscard]] bool committed() const { return (word & kCommitted) != 0; }
  [[nodiscard]] bool pinned() const { return (word & kPinMask) != 0; }
  [[nodiscard]] bool silent() const { return (word & kSilent) != 0; }
  [[nodiscard]] uint8_t cause() const {
    return static_cast<uint8_t>((word & kCauseMask) >> kCauseShift);
  }
  [[nodiscard]] uint64_t epoch() const { return word >> kEpochShift; }

  [[nodiscard]] Snapshot In(Phase to) const {
    assert((kLegal[word & kPhaseMask] & To(to)) != 0);
    return {(word & ~kPhaseMask) | static_cast<uint64_t>(to)};
  }
  [[nodiscard]] Snapshot With(uint64_t flags) const { return {word | flags}; }
  [[nodiscard]] Snapshot Without(uint64_t flags) const { return {word & ~flags}; }
  [[nodiscard]] Snapshot Stopped(uint8_t why) const {
    return {word | kStop | (uint64_t{why} << kCauseShift)};
  }
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ACTOR_WORD_H_
