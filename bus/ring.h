#ifndef TASKVISOR_BUS_RING_H_
#define TASKVISOR_BUS_RING_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "bus/lane.h"
#include "bus/merge.h"
#include "bus/slot.h"
#include "sched/atomic.h"
#include "sched/thread_numbers.h"

namespace taskvisor::internal {

// Ring<T>
//
// Numbered records from any thread to one reader, bounded. A record is a T with its text; it
// takes one slot, or several neighbours if its text is long. A run is several records
// published with one claim.
//
//   thread ── ticket, from one word ──▶ its own lane ─┐
//   thread ── ticket ─────────────────▶ its own lane ─┼─▶ Merge, by ticket ──▶ the reader
//   thread ── ticket ─────────────────▶ its own lane ─┘    (gives the numbers)
//
// The word is all that publishers share:
//
//   | claimed : 62 | closed : 1 | asleep : 1 |
//     claimed   tickets drawn, ever: one for each record
//     closed    nothing more is admitted; a ticket drawn now is void
//     asleep    the reader parks. It sets the bit only while every ticket is accounted for, and
//               clears it if it is up again before anybody woke it (StayAwake);
//               a publisher whose drawing finds it set clears it when its record is there,
//               and the one whose clearing finds it set owes the wake-up. It may set the bit
//               again instead (TryPassOn), where nobody is in a hurry: then the next one owes it
//
// A publisher looks for room in its lane, draws its tickets, and writes. So the reader knows from
// one word how many records it has yet to see. Without room a publisher leaves the word alone, and
// counts what is lost in its lane (LossCount): where more is published than can be read, the word
// and what comes with it are not contended for, too.
//
//   publisher                                     reader
//     room: lane's head (acquire)                   bound = word.load(acquire)
//     t = word.fetch_add(n, acq_rel)                each lane: stamp.load(acquire)
//     record; stamp.store(t + 1, release)           uses it; lane's head.store(release)
//
// Invariants
//   R1  a lane's slots are written by its one owner, while the reader is past them
//   R2  accounted <= claimed: accounted are the tickets of records that were read or given up
//   R3  records of one thread, and of threads ordered by a release/acquire hand-off, have
//       increasing numbers: the first one's stamp comes before the second one's ticket, so a
//       bound that has the second ticket comes with a look that sees the first stamp (Merge)
//   R4  numbers without a record are told losses, each gap where its lane's losses were
//   R5  no loss that was counted stays untold: the reader looks for losses after each pass, after
//       it has said that it sleeps (whoever counts one later finds the bit, and wakes it), and
//       when it has sealed the counts
//
// Progress: Publish is wait-free, for everybody and whoever else is stopped wherever: one
// fetch_add and its own lane; a second read-modify-write if the reader sleeps. It does not
// allocate, but for the first one of a thread that finds more than kReadyLanes threads
// before it: that makes a lane, which a thread that ends leaves to the next. Without memory
// for it, or beyond max_threads at a time, the records of that thread are lost and counted.
// Reading waits for nobody: a publisher that is stopped between ticket and stamp delays its
// own lane only. The reader cannot park meanwhile.
template <class T>
class Ring {
 public:
  enum class Published : uint8_t {
    kYes,
    kYesAndWake,  // the caller owes the reader a wake-up
    kLost,        // its lane was full; counted
    kLostAndWake,
    kClosed,
  };
  static constexpr bool OwesWakeUp(Published published) {
    return published == Published::kYesAndWake || published == Published::kLostAndWake;
  }

  static constexpr uint32_t kMaxThreads = 1024;
  static constexpr size_t kMaxCapacity = size_t{1} << 24;

  struct Options {
    uint32_t start = 0;                  // first position of each lane: for tests of the wrap
    uint32_t min_slots = 32;             // of a lane: room for one run of long records
    uint32_t max_threads = kMaxThreads;  // taken as at most that
  };

  // `capacity` >= 1: slots of a thread that may be in use when a record is admitted.
  explicit Ring(size_t capacity) : Ring(capacity, Options()) {}
  Ring(size_t capacity, Options options)
      : capacity_(static_cast<uint32_t>(std::clamp<size_t>(capacity, 1, kMaxCapacity))),
        options_(Bounded(options)),
        threads_(options_.max_threads),
        lanes_(std::make_unique<Atomic<Lane<T>*>[]>(kMaxThreads)),
        merge_(kMaxThreads) {
    for (uint32_t i = 0; i < std::min(kReadyLanes, options_.max_threads); ++i) MakeLane(i);
  }

  ~Ring() {
    for (uint32_t i = 0; i < lane_count(); ++i) delete lanes_[i].load(std::memory_order_acquire);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // fill(T&) writes a record without text, in place; it must not throw or publish. The
  // record's old content is unspecified.
  template <class Fill>
  Published Publish(Fill fill) {
    return PublishRun(std::array<uint32_t, 1>{0},
                      [&](size_t, T& record, SlotText<T>&) { fill(record); });
  }

  // kRun records as one claim, all or none of them: record i has text_sizes[i] bytes of
  // text. fill(i, T&, SlotText<T>&) writes the record, and appends exactly its text; `i` is a
  // std::integral_constant.
  template <size_t kRun, class Fill>
  [[gnu::always_inline]] Published PublishRun(const std::array<uint32_t, kRun>& text_sizes,
                                              Fill fill) {
    auto* lane = static_cast<Lane<T>*>(threads_.Kept());
    if (lane == nullptr) lane = FindMine();
    return PublishOn(lane, text_sizes, fill);
  }

  // The same for whoever is the only one to publish as this `thread`, below kMaxThreads: for
  // tests whose threads are not the system's.
  template <size_t kRun, class Fill>
  Published PublishRunAs(uint32_t thread, const std::array<uint32_t, kRun>& text_sizes, Fill fill) {
    return PublishOn(LaneOf(thread), text_sizes, fill);
  }

  // For who owes a wake-up: the next publisher owes it, or who calls OweWakeUp. False: it is to be
  // paid, because more than `most` records wait already, or none, or the ring is closed. Lock-free:
  // it repeats when the word was changed meanwhile.
  [[nodiscard]] bool TryPassOn(uint64_t most) {
    const uint64_t from = told();
    const auto passed = UpdateIf(
        word_, [=](uint64_t w) { return (w & kClosed) == 0 && ClaimedOf(w) - from <= most; },
        [](uint64_t w) { return w | kAsleep; });
    // If none waits any more the reader may sleep again: a loss counted since found no bit.
    return passed && ClaimedOf(passed.seen) > told();
  }
  // True: there are records that the reader has not told of yet, and the caller owes it a wake-up.
  // It may be awake, or be owed one by a publisher too, who may pass that on.
  [[nodiscard]] bool OweWakeUp() {
    const uint64_t seen = word_.load(std::memory_order_acquire);
    if (ClaimedOf(seen) <= told()) return false;
    static_cast<void>(ClearAsleep(seen));
    return true;
  }
  // The last ticket drawn so far that is not void: where the reader's work ends for now.
  [[nodiscard]] uint64_t last() const {
    // acquire: see R3.
    const uint64_t word = word_.load(std::memory_order_acquire);
    const uint64_t end = end_.load(std::memory_order_acquire);
    return end != 0 ? end & ~kHasEnd : ClaimedOf(word);
  }
  // The last one of which the reader has told that it is done with it.
  [[nodiscard]] uint64_t told() const { return told_.load(std::memory_order_acquire); }

  // No more records; the reader may still take what was claimed. Idempotent.
  void Close() {
    const uint64_t before = word_.fetch_or(kClosed, std::memory_order_acq_rel);
    // release: who sees where the end is, sees the bit too.
    if ((before & kClosed) == 0) end_.store(kHasEnd | ClaimedOf(before), std::memory_order_release);
  }
  [[nodiscard]] bool closed() const { return end_.load(std::memory_order_acquire) != 0; }

  // --- the reader's side: one thread at a time -----------------------------------------

  struct Taken {
    T* record;        // null: nothing to take now
    uint64_t lost;    // numbers lost just before it
    uint64_t number;  // its number, from 1
  };

  // The next record, valid until Done().
  [[nodiscard]] Taken Take() {
    if (merge_.lane() == nullptr) {
      OpenPass();
      if (merge_.lane() == nullptr) return {nullptr, 0, 0};
    }
    const uint64_t lost = Skip(merge_.lane()->TakeLostBefore());
    return {&merge_.lane()->record(), lost, number_ + 1};
  }

  // Copies the text of the taken record, `size` bytes, to `to`.
  void CopyText(char* to, size_t size) const { merge_.lane()->CopyText(to, size); }

  // The taken record, with text_size bytes of text, is used up.
  void Done(size_t text_size = 0) {
    merge_.Pass(Slot<T>::SpanOf(text_size));
    Account(1);
  }

  // Losses that no record follows yet. Their numbers are used up; `number()` is the last of
  // them. To be asked when a pass is over.
  [[nodiscard]] uint64_t TakeTrailingLosses() {
    uint64_t lost = 0;
    // If all is read, what is there is of a publisher who was given up.
    ForEachLane([&, over = AllRead()](Lane<T>& lane) { lost += lane.TakeTrailingLosses(over); });
    const uint64_t orphans = orphans_.count();
    lost += orphans - std::exchange(orphans_seen_, orphans);
    return Skip(lost);
  }

  // For told(): after a batch.
  void Tell() { told_.store(accounted_, std::memory_order_release); }

  // Records are known of that Take will give without a look at the word.
  [[nodiscard]] bool InPass() const { return merge_.lane() != nullptr; }

  // True: the reader may park, the next publisher wakes it. False: there is something
  // to do (a record, a loss, a publisher to wait for, or the end).
  [[nodiscard]] bool TrySleep() {
    Tell();
    uint64_t seen = word_.load(std::memory_order_acquire);
    do {
      if (ClaimedOf(seen) != accounted_ || (seen & kClosed) != 0) return false;
      // seq_cst: see LossCount.
    } while (!word_.compare_exchange_weak(seen, seen | kAsleep, std::memory_order_seq_cst,
                                          std::memory_order_acquire));
    if (!HasLosses()) return true;
    StayAwake();
    return false;
  }

  // The reader is awake, whoever has told it: publishers need not.
  void StayAwake() {
    // relaxed: a hint; a publisher that still finds the bit notifies once more.
    if ((word_.load(std::memory_order_relaxed) & kAsleep) != 0) {
      word_.fetch_and(~kAsleep, std::memory_order_acq_rel);
    }
  }

  // Nothing to take or to tell, but a publisher stands between its ticket and its stamp.
  [[nodiscard]] bool AtHole() const {
    if (last() == accounted_ || HasLosses()) return false;
    bool news = false;
    ForEachLane([&](Lane<T>& lane) { news |= lane.Next() != 0; });
    return !news;
  }

  // Gives up all that is missing; counted as lost, like TakeTrailingLosses. REQUIRES: closed.
  // What comes late is written where nobody looks.
  [[nodiscard]] uint64_t SkipHoles() {
    const uint64_t missing = last() - accounted_;
    Account(missing);
    return missing;
  }

  // Closed, everything claimed before that is accounted for, and no loss is known that was not
  // told. Those that come now are the last: see SealLosses.
  [[nodiscard]] bool Exhausted() const { return AllRead() && !HasLosses(); }
  // What is lost from now on is void; what was lost before, TakeTrailingLosses knows.
  // REQUIRES: Exhausted.
  void SealLosses() {
    ForEachLane([](Lane<T>& lane) { lane.SealLosses(); });
    orphans_.Seal();
  }

  // A number for a record that does not come from the ring. REQUIRES: closed.
  uint64_t TakeNumber() { return ++number_; }

  // The last number given out.
  [[nodiscard]] uint64_t number() const { return number_; }
  [[nodiscard]] size_t capacity() const { return capacity_; }

 private:
  static constexpr uint64_t kAsleep = 1;
  static constexpr uint64_t kClosed = 2;
  static constexpr int kClaimedShift = 2;
  static constexpr uint64_t kClaimedOne = uint64_t{1} << kClaimedShift;
  static constexpr uint64_t kHasEnd = uint64_t{1} << 63;  // of the end
  static constexpr uint32_t kReadyLanes = 8;              // address space, until they are used

  static Options Bounded(Options options) {
    options.max_threads = std::min(options.max_threads, kMaxThreads);
    return options;
  }
  static uint64_t ClaimedOf(uint64_t word) { return word >> kClaimedShift; }

  template <size_t kRun, class Fill>
  [[gnu::always_inline]] Published PublishOn(Lane<T>* lane,
                                             const std::array<uint32_t, kRun>& text_sizes,
                                             Fill& fill) {
    std::array<uint32_t, kRun> spans{};
    uint32_t slots = 0;
    for (size_t i = 0; i < kRun; ++i) slots += spans[i] = Slot<T>::SpanOf(text_sizes[i]);
    typename Lane<T>::Place place{};
    if (lane != nullptr) place = lane->Look(slots);
    if (place.slot == nullptr) [[unlikely]]
      return Lose(lane, kRun);
    // release: hands on what was published, or seen published, before; see R3.
    const uint64_t seen = word_.fetch_add(kRun * kClaimedOne, std::memory_order_acq_rel);
    if ((seen & kClosed) != 0) return Published::kClosed;
    lane->Write(place, seen + kClaimedOne, spans, fill);
    return ClearAsleep(seen) ? Published::kYesAndWake : Published::kYes;
  }

  [[gnu::noinline]] Lane<T>* FindMine() {
    Lane<T>* const lane = LaneOf(threads_.Mine());
    threads_.Keep(lane);
    return lane;
  }

  // The lane of a thread; null if it has none and gets none.
  Lane<T>* LaneOf(uint32_t thread) {
    if (thread == ThreadNumbers::kNone) return nullptr;
    // relaxed: only this thread sets it, or one whose number it got, with an acquire.
    Lane<T>* const lane = lanes_[thread].load(std::memory_order_relaxed);
    return lane != nullptr ? lane : MakeLane(thread);
  }

  [[gnu::noinline]] Lane<T>* MakeLane(uint32_t thread) {
    std::unique_ptr<Lane<T>> lane(new (std::nothrow)
                                      Lane<T>(capacity_, options_.min_slots, options_.start));
    if (lane == nullptr || !lane->ok()) return nullptr;
    // release: hands the lane over to the reader, who sees the count below.
    lanes_[thread].store(lane.get(), std::memory_order_release);
    RaiseTo(lane_count_, thread + 1);
    return lane.release();
  }

  [[gnu::noinline]] Published Lose(Lane<T>* lane, uint64_t records) {
    if ((word_.load(std::memory_order_acquire) & kClosed) != 0) return Published::kClosed;
    const bool counted = lane != nullptr ? lane->Lose(records) : orphans_.Add(records);
    if (!counted) return Published::kClosed;
    // seq_cst: see LossCount.
    const uint64_t seen = word_.load(std::memory_order_seq_cst);
    return ClearAsleep(seen) ? Published::kLostAndWake : Published::kLost;
  }

  bool ClearAsleep(uint64_t seen) {
    if ((seen & kAsleep) == 0) return false;
    return (word_.fetch_and(~kAsleep, std::memory_order_acq_rel) & kAsleep) != 0;
  }

  [[nodiscard]] uint32_t lane_count() const { return lane_count_.load(std::memory_order_acquire); }

  // Lanes made before the last change of the word that the reader has seen, at least.
  template <class Visit>
  void ForEachLane(Visit visit) const {
    for (uint32_t i = 0; i < lane_count(); ++i) {
      Lane<T>* const lane = lanes_[i].load(std::memory_order_acquire);
      if (lane != nullptr) visit(*lane);
    }
  }

  void OpenPass() {
    const uint64_t bound = last();
    // Nothing new: the lanes are left alone, they are their owners'.
    if (bound == accounted_) return;
    merge_.Open(bound, [this](auto visit) { this->ForEachLane(visit); });
  }

  // Closed, and everything claimed before that is accounted for.
  [[nodiscard]] bool AllRead() const {
    return end_.load(std::memory_order_acquire) == (kHasEnd | accounted_);
  }
  [[nodiscard]] bool HasLosses() const {
    bool some = orphans_.count() != orphans_seen_;
    ForEachLane([&](Lane<T>& lane) { some = some || lane.HasLosses(); });
    return some;
  }

  // Tickets, with their numbers.
  void Account(uint64_t tickets) {
    accounted_ += tickets;
    number_ += tickets;
  }
  // Numbers of lost records.
  uint64_t Skip(uint64_t lost) {
    number_ += lost;
    return lost;
  }

  const uint32_t capacity_;
  const Options options_;
  ThreadNumbers threads_;
  const std::unique_ptr<Atomic<Lane<T>*>[]> lanes_;  // by a thread's number
  Atomic<uint32_t> lane_count_{0};                   // no lane has a higher number
  LossCount orphans_;                                // of threads without a lane
  Atomic<uint64_t> end_{0};                          // set once, when the ring is closed
  Atomic<uint64_t> told_{0};                         // accounted_, at the last Tell
  alignas(2 * kCacheLine) Atomic<uint64_t> word_{0};
  // The reader's.
  alignas(2 * kCacheLine) Merge<T> merge_;
  uint64_t accounted_ = 0;
  uint64_t orphans_seen_ = 0;
  uint64_t number_ = 0;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_RING_H_
