#include "sched/pool.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/task_scheduler_observer.h>
#include <time.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace taskvisor::internal {
namespace {

constexpr int64_t kDrainBudget = 4'000'000;  // ns; one tick of the coarse clock
constexpr int kLooksBeforeLeaving = 64;      // each a yield

// 3 ns instead of 23: an item asks after every body whether its time is up.
int64_t CoarseNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

size_t WorkersFor(size_t asked, size_t most) {
  const auto cores = static_cast<size_t>(oneapi::tbb::info::default_concurrency());
  return std::min(asked == 0 ? cores : asked, most);
}

// TBB makes as many workers as the smallest global_control allows: one control per pool
// would let the smallest pool starve all others. So there is one for all pools, and it
// leaves the rest of the process its usual share. (A smaller control of the host's own
// still counts: then bodies share what it allows.)
class WorkerBudget {
 public:
  static void Add(size_t workers) { Instance().Change(static_cast<int64_t>(workers)); }
  static void Remove(size_t workers) { Instance().Change(-static_cast<int64_t>(workers)); }

 private:
  using Control = oneapi::tbb::global_control;

  static WorkerBudget& Instance() {
    static auto* const budget = new WorkerBudget();  // outlives every pool
    return *budget;
  }
  void Change(int64_t by) {
    std::lock_guard lock(mutex_);  // making and ending a pool: far from any hot path
    workers_ += by;
    control_.reset();
    if (workers_ == 0) return;
    control_ = std::make_unique<Control>(
        Control::max_allowed_parallelism,
        static_cast<size_t>(workers_ + oneapi::tbb::info::default_concurrency()));
  }

  std::mutex mutex_;
  int64_t workers_ = 0;
  std::unique_ptr<Control> control_;
};

// The pool whose arena this thread is in.
thread_local const void* t_pool = nullptr;

class ArenaObserver final : public oneapi::tbb::task_scheduler_observer {
 public:
  ArenaObserver(oneapi::tbb::task_arena& arena, const void* pool) : task_scheduler_observer(arena) {
    pool_.store(pool, std::memory_order_release);  // pairs with the acquire in the calls
    observe(true);
  }
  ~ArenaObserver() override {
    observe(false);  // waits for calls in progress
    static_cast<void>(calls_.load(std::memory_order_acquire));
  }
  void on_scheduler_entry(bool) override { Set(pool_.load(std::memory_order_acquire)); }
  void on_scheduler_exit(bool) override { Set(nullptr); }

 private:
  void Set(const void* pool) {
    t_pool = pool;
    calls_.fetch_add(1, std::memory_order_release);  // pairs with the destructor's acquire
  }

  // Atomic for the edges that TBB, not instrumented, does not show.
  Atomic<const void*> pool_{nullptr};
  Atomic<uint64_t> calls_{0};
};

}  // namespace

class Pool::TbbSeat final : public Seat {
 public:
  TbbSeat(uint32_t index, ReadyQueue<Runnable*>& ready) : Seat(index), cursor_(ready) {}

  void CancelNested() override { context_.cancel_group_execution(); }

 private:
  friend class Pool;
  friend struct WorkItem;
  // After each Runnable, whoever cancelled (a body may cancel its own context too): TBB
  // drops the next item of a cancelled context without running it.
  void ResetNested() {
    if (context_.is_group_execution_cancelled()) context_.reset();
  }

  oneapi::tbb::task_group_context context_{oneapi::tbb::task_group_context::isolated};
  oneapi::tbb::task_group group_{context_};
  ReadyQueue<Runnable*>::Cursor cursor_;
  Atomic<uint32_t> next_free_{0};
  // Handed over with the item, both ways: release by StartItem and before the item is
  // done, acquire where it starts and by Join.
  Atomic<uint32_t> handed_{0};
};

struct Pool::Tbb {
  explicit Tbb(Pool& pool)
      : workers(pool.workers_),
        arena(static_cast<int>(pool.workers_), /*reserved_for_masters=*/0),
        seats{} {
    for (uint32_t i = 0; i < SeatsFor(workers); ++i) seats.emplace_back(i, pool.ready_);
    WorkerBudget::Add(workers);
    arena.initialize();
    observer = std::make_unique<ArenaObserver>(arena, &pool);
  }

  ~Tbb() { WorkerBudget::Remove(workers); }

  // Of free_seats_.
  [[nodiscard]] auto Link() {
    return [this](uint32_t i) -> Atomic<uint32_t>& { return seats[i].next_free_; };
  }

  const size_t workers;
  oneapi::tbb::task_arena arena;
  std::deque<TbbSeat> seats;
  std::unique_ptr<ArenaObserver> observer;
};

// Trivially copyable, so that its copies are made inside TBB, in memory that TBB recycles
// from thread to thread by edges no checker sees. Ours are in the seat.
struct Pool::WorkItem {
  void operator()() const {
    static_cast<void>(seat->handed_.load(std::memory_order_acquire));  // before all else
    target->Drain(index);
  }

  Pool* target;
  TbbSeat* seat;
  uint32_t index;
};

Pool::Pool(size_t workers)
    : workers_(WorkersFor(workers, WorkCount::kMaxWorkers)),
      count_(workers_, SeatsFor(workers_)),
      tbb_(std::make_unique<Tbb>(*this)) {
  for (uint32_t i = 0; i < tbb_->seats.size(); ++i) free_seats_.Push(i, tbb_->Link());
}

Pool::~Pool() = default;

bool Pool::OnWorkerOf(const Pool* pool) { return t_pool == pool && pool != nullptr; }

void Pool::Submit(Runnable& runnable) {
  ready_.Push(&runnable);
  Announce(1);
}

void Pool::Announce(uint64_t count) {
  for (uint64_t starts = count_.Announce(count); starts > 0; --starts) StartItem();
}

// Keeps one promise, or calls it off.
void Pool::StartItem() {
  while (!count_.TryCallOff()) {
    const std::optional<uint32_t> seat = free_seats_.Pop(tbb_->Link());
    if (!seat) {  // more than kSpareSeats threads are just here, or in the last lines of Drain
      std::this_thread::yield();
      continue;
    }
    Start(*seat);
    if (count_.Started()) idle_.Notify();
    return;
  }
}

void Pool::Start(uint32_t index) {
  TbbSeat& seat = tbb_->seats[index];
  seat.handed_.fetch_add(1, std::memory_order_release);
  tbb_->arena.enqueue(seat.group_.defer(WorkItem{this, &seat, index}));
}

// What runs again on the seat, or one of those that wait, in its place and with it behind
// them: no count changes.
Runnable* Pool::Again(TbbSeat& seat, bool others_wait) {
  Runnable* const again = std::exchange(seat.again_, nullptr);
  if (!others_wait) return again;
  ready_.Push(again);
  return ready_.Take(seat.cursor_);
}

// What runs next on the seat; null: nothing, and the item counts as out.
Runnable* Pool::Next(TbbSeat& seat, uint32_t index) {
  if (seat.again_ != nullptr) return Again(seat, count_.Waiting(index));
  while (true) {
    const WorkCount::Claimed claimed = count_.Claim(index);
    if (claimed.starts) StartItem();
    if (claimed.got) return ready_.Take(seat.cursor_);
    if (!StayAwake() && count_.TryLeave()) return nullptr;
  }
}

bool Pool::StayAwake() const {
  for (int look = 0; look < kLooksBeforeLeaving; ++look) {
    std::this_thread::yield();
    if (count_.MayClaim()) return true;
  }
  return false;
}

void Pool::Drain(uint32_t index) {
  TbbSeat& seat = tbb_->seats[index];
  const int64_t until = CoarseNow() + kDrainBudget;
  // What ran again when the time was up stayed on the seat. It gives way to all that waits,
  // also behind a long body of another seat: nobody else may be there to come for that.
  Runnable* runnable = seat.again_ != nullptr ? Again(seat, count_.MayClaim()) : Next(seat, index);
  for (; runnable != nullptr; runnable = Next(seat, index)) {
    runnable->Run(seat);
    seat.ResetNested();
    if (CoarseNow() >= until) return Start(index);
  }
  free_seats_.Push(index, tbb_->Link());
  idle_.Notify();
  seat.handed_.fetch_add(1, std::memory_order_release);
}

void Pool::Join() {
  Await(idle_, [this] { return count_.TryClose(); });
  for (TbbSeat& seat : tbb_->seats) {
    seat.group_.wait();
    static_cast<void>(seat.handed_.load(std::memory_order_acquire));
  }
}

}  // namespace taskvisor::internal
