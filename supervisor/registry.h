#ifndef TASKVISOR_SUPERVISOR_REGISTRY_H_
#define TASKVISOR_SUPERVISOR_REGISTRY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "sched/event_count.h"
#include "sched/pool.h"
#include "sched/prefetch.h"
#include "sched/slab.h"
#include "sched/thread_numbers.h"
#include "supervisor/attempt_link.h"
#include "supervisor/entry.h"
#include "supervisor/lifecycle.h"
#include "supervisor/name_index.h"
#include "supervisor/name_links.h"
#include "supervisor/publisher.h"
#include "taskvisor/supervisor.h"

namespace taskvisor::internal {

// Slots that are being given back when their members have left already: one for each thread that
// is stopped in those few lines.
inline constexpr uint32_t kSpareSlots = 65536;

// Of the attempt that a task ends with: the event that is still to be told, and what it may refer
// to.
struct LastAttempt {
  const EventDraft* told = nullptr;
  KeptError error;
};

// So many threads that add tasks keep slots for the next ones.
inline constexpr uint32_t kAdders = 64;

// How many slots there are. Some are kept by adders, and some by seats, to be given back together.
inline uint32_t SlotsFor(size_t max_tasks, size_t seats) {
  return static_cast<uint32_t>(max_tasks + kSpareSlots + kAdders * Slab<Entry>::kMostTaken +
                               seats * Slab<Entry>::kTogether);
}

// Its name, or "task-<id>". As all of an entry that is atomic: judged by its state afterwards.
[[nodiscard]] std::string NameOf(const Entry& entry, TaskId id);

// Registry
//
// The authority on membership: which ids and names are tasks, and the two ends of a
// task's life here. What happens between is the Actor's.
//
// Every slot given out is counted in the Lifecycle first, so the slab never runs dry
// under a caller that passed the gate: it has slots to spare for those on their way back.
//
// Progress: Reserve, SetName, ClaimName, Lookup, Finish are lock-free (malloc when the slab or
// a long name needs new memory: in Reserve and SetName, which throw without it). Nothing here waits
// for an event or a worker, except the two Await calls, which say so.
class Registry : public Idler {
 public:
  // The pool is the one whose idler this is.
  Registry(const SupervisorConfig& config, const Pool& pool, Publisher& publisher, Actor& actor);

  [[nodiscard]] Lifecycle& gate() { return gate_; }
  // Of the calling thread, at the gate. Null: it has none.
  [[nodiscard]] Lifecycle::Credits* MyCredits() {
    Taken* const mine = TakenByThread();
    return mine == nullptr ? nullptr : &mine->credits;
  }
  // How many tasks there have been, some that were refused included.
  [[nodiscard]] uint64_t ever() const { return next_id_.load(std::memory_order_relaxed) - 1; }

  // Ids that no task has had, one after the other: the first of them.
  [[nodiscard]] uint64_t TakeIds(size_t count);
  // A slot with a new id, not yet visible. REQUIRES: the gate was entered for it.
  // `more`: see Slab::Allocate.
  class Slots;
  [[nodiscard]] Entry& Reserve(uint64_t id, Slots& slots, size_t more);
  // The memory of a slot that is to be written soon.
  void CallFor(uint32_t slot) const { PrefetchForWrite(&slab_.At(slot), sizeof(Entry)); }
  // Of a reserved entry; nobody finds it yet.
  void SetName(Entry& entry, std::string_view name);
  // The place of a name in the slot that is reserved next, mostly.
  void CallForLink(Slots& slots) const;
  // Publishes the name that was set. False: taken, and the entry has none any more.
  [[nodiscard]] bool ClaimName(Entry& entry, std::string_view name);
  // A name, if it is one, that is about to be claimed.
  void CallForPlaceOf(std::string_view name) const {
    if (!name.empty()) names_.CallFor(name);
  }
  // The memory of a name that is to be read soon, if there is one.
  void CallForLinkOf(const Entry& entry) const {
    if (entry.named()) PrefetchForWrite(&links_.At(entry.slot));
  }
  // A named task is about to end.
  void CallForName(const Entry& entry) const { names_.CallFor(entry.slot); }
  // Takes a name back that was set and not claimed, if there is one.
  void DropName(Entry& entry) {
    if (!entry.named()) return;
    LetGoOfNameBlock(entry);
    entry.name_size.store(0, std::memory_order_release);
  }
  // Gives a reserved entry back as if it had never been; its name, if claimed, is free.
  void Withdraw(Entry& entry);

  // An entry and a state in which it held the task that was asked for.
  struct Found {
    Entry* entry = nullptr;
    Snapshot seen;
    TaskId id;
  };
  [[nodiscard]] Entry& At(uint32_t slot) const { return slab_.At(slot); }
  [[nodiscard]] const Name& NameAt(uint32_t slot) const { return links_.At(slot).name; }
  [[nodiscard]] Found Lookup(TaskId id) const;
  [[nodiscard]] Found Lookup(std::string_view name) const;

  // The end of a task. Only the thread that moved the entry to kFinishing. In order:
  // name free, body destroyed, the last attempt's event, end event and TaskRemoved as one run, what
  // is left of the error destroyed, outcome, slot back, who waits for it told. An entry that was
  // abandoned has had its end event and its outcome. `seat`: where the caller was run by the
  // pool, as the last thing that it does there; null elsewhere.
  void Finish(Entry& entry, TaskOutcome&& outcome, TimePoint now, const Seat* seat,
              LastAttempt last = {});

  // What a seat's Finishes have put off.
  void OnIdle(Seat& seat) noexcept override;
  void OnLeave() noexcept override { publisher_.Rouse(); }

  // Gives an entry whose body still runs the outcome Stuck, once, if `seen`'s attempt is
  // still the one that runs; the record if this call did. Refused while somebody else
  // holds a pin, who may be about to publish the attempt's timeout, unless `force`.
  // `stack`: of the body's thread, taken while `seen`'s attempt ran.
  std::optional<StuckTask> Abandon(Entry& entry, Snapshot seen, TimePoint now, bool force,
                                   std::string stack);

  // Waits until the task is released or given up, at most until `deadline`.
  enum class Gone : uint8_t { kReleased, kStuck, kNotYet };
  [[nodiscard]] Gone AwaitGone(const Found& found, Clock& clock, TimePoint deadline);

  // Calls visit(Entry&, Snapshot) for every slot that may hold a task. With seq_cst
  // loads: after the gate was closed, it sees every task committed before, or that
  // task's adder sees the gate closed (see ActorState::Commit).
  template <class Visit>
  void ForEach(Visit visit) const {
    const uint32_t used = slab_.used();
    for (uint32_t slot = 0; slot < used; ++slot) {
      Entry* entry = slab_.Find(slot);
      if (entry == nullptr) continue;  // being made
      const Snapshot seen = entry->state.LoadForScan();
      if (!seen.Is(Phase::kFree)) visit(*entry, seen);
    }
  }

  // `parents_now`: asked after the tasks were seen, if any of them is a child.
  using ParentMap = std::unordered_map<uint64_t, TaskId>;
  [[nodiscard]] std::vector<TaskInfo> List(absl::FunctionRef<ParentMap()> parents_now) const;
  [[nodiscard]] std::vector<StuckTask> StuckTasks(TimePoint now) const;

 private:
  static constexpr size_t kGoneShards = 64;

  // The slots that a thread has taken, for what it adds next.
  struct alignas(kCacheLine) Taken : Slab<Entry>::Taken {
    Lifecycle::Credits credits;
  };
  [[nodiscard]] static std::vector<Lifecycle::Credits*> CreditsOf(Taken* taken);
  // Null: too many threads have some.
  [[nodiscard]] Taken* TakenByThread();

  // The slots that tasks which ended on a seat have left behind.
  struct alignas(kCacheLine) Ended {
    Slab<Entry>::Returned slots;
  };

  // A consistent copy of what `read` reads of the entry, if it holds a task.
  template <class Read>
  [[nodiscard]] static bool ReadTask(const Entry& entry, Read read) {
    while (true) {
      const Snapshot seen = entry.state.Load();
      if (!seen.committed()) return false;
      read(seen);
      const Snapshot after = entry.state.Load();
      if (after.epoch() == seen.epoch() && after.committed()) return true;
    }
  }
  void DestroyError(KeptError error, TaskOutcome* outcome) const;
  // No outcome: the end event was published when the task was given up.
  void PublishLast(const Entry& entry, const TaskOutcome* outcome, TimePoint now,
                   const EventDraft* before);
  void PublishLastOfChild(const Entry& entry, const TaskOutcome* outcome, TimePoint now,
                          const EventDraft* before);
  void Release(Entry& entry, const Seat* seat);
  void LetGoOfTheRare(Entry& entry);
  // If it has one; nobody needs the name any more.
  void LetGoOfNameBlock(Entry& entry) {
    if (!entry.Tells(Entry::kLongName)) return;
    links_.GiveBackBlock(entry.slot);
    entry.SetTold(Entry::kLongName, false);
  }
  EventCount& GoneOf(uint32_t slot) { return gone_[slot % kGoneShards]; }

  Publisher& publisher_;
  Actor& actor_;
  const uint32_t pool_;  // its id
  Atomic<uint64_t> own_ids_{1};
  Atomic<uint64_t>& next_id_;  // the process's, or its own: see the constructor
  ThreadNumbers threads_{kAdders};
  const std::unique_ptr<Taken[]> taken_ = std::make_unique<Taken[]>(kAdders);  // by their numbers
  const std::unique_ptr<Ended[]> ended_;
  Lifecycle gate_;
  Slab<Entry> slab_;
  NameLinks links_;
  NameIndex names_;
  std::array<EventCount, kGoneShards> gone_;
};

// Where the calling thread takes slots from, for tasks that are added together: from its own, or
// from some that go back afterwards.
class Registry::Slots {
 public:
  explicit Slots(Registry& registry) : slab_(registry.slab_), kept_(registry.TakenByThread()) {}
  ~Slots() {
    if (kept_ == nullptr) slab_.GiveBack(lent_);
  }
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  [[nodiscard]] Slab<Entry>::Taken& taken() { return kept_ != nullptr ? *kept_ : lent_; }

 private:
  Slab<Entry>& slab_;
  Taken* const kept_;
  Slab<Entry>::Taken lent_;
};

inline void Registry::CallForLink(Slots& slots) const {
  if (const uint32_t likely = slots.taken().likely(); likely != 0) {
    PrefetchForWrite(&links_.At(likely - 1));
  }
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_REGISTRY_H_
