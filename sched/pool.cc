#include "sched/pool.h"

#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <time.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "sched/cores.h"
#include "sched/delays.h"
#include "sched/pool_tbb.h"
#include "sched/prefetch.h"

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

size_t WorkersFor(size_t asked, size_t most, const Placement& placement) {
  return std::min(asked == 0 ? UsableCores(placement) : asked, most);
}

class NoKeeper final : public Keeper {
 public:
  void OnRefused(Runnable&) noexcept override { std::terminate(); }
};
NoKeeper no_keeper;

// What a Runnable uses of its own when it runs, in a moment: the thread that submitted it has that
// in its cache. (See Entry.)
constexpr size_t kUsed = 2 * kCacheLine;

uint32_t NextId() {
  static Atomic<uint32_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;  // relaxed: only a number
}

}  // namespace

Pool::Pool(size_t workers, const Placement& placement, Executor* executor)
    : id_(NextId()),
      executor_(executor),
      workers_(executor != nullptr ? std::max<size_t>(workers, 1)
                                   : WorkersFor(workers, ItemCount::kMaxWorkers, placement)),
      ready_(workers_, PartsFor(workers_)),
      items_(workers_),
      keeper_(&no_keeper),
      tbb_(executor != nullptr ? nullptr : std::make_unique<Tbb>(*this, placement)) {
  if (executor_ != nullptr) executor_->Serve(*this);
}

Pool::~Pool() = default;

bool Pool::OnWorkerOf(uint32_t id) { return ArenaObserver::Here() == id && id != 0; }
uint32_t Pool::ExchangeHere(uint32_t id) { return ArenaObserver::ExchangeHere(id); }

void Pool::Start() {
  if (executor_ != nullptr) return;
  tbb_->crew.Start(workers_, [this](size_t number, const Crew::Called& called) {
    Serve(tbb_->seats[number], called);
  });
}

void Pool::Stop() {
  if (executor_ == nullptr) tbb_->crew.Stop();
}

void Pool::Submit(Runnable& runnable, Priority priority) {
  if (executor_ != nullptr) [[unlikely]]
    return executor_->Submit(runnable, priority);
  ready_.Push(&runnable, priority) ? Announce(1) : keeper_->OnRefused(runnable);
}

void Pool::Announce(uint64_t count) {
  items_.Announce(
      count, [this] { return ready_.AnyUnclaimed(); }, [this] { StartItem(); });
}

// Keeps one promise, or calls it off.
void Pool::StartItem() {
  if (items_.TryCallOff()) return;
  tbb_->crew.Call();
  if (items_.Started()) idle_.Notify();
}

// What runs again on the seat, or one of those that wait in its place, with it behind them. For
// those in the strips of others only if `anywhere`.
Runnable* Pool::Again(TbbSeat& seat, bool anywhere) {
  // Others of another class have a turn here too, wherever they are.
  anywhere = anywhere || ready_.mixed();
  Runnable* const again = std::exchange(seat.again_, nullptr);
  if (!(anywhere ? ready_.Any(seat.cursor_) : ready_.AnyFor(seat.cursor_))) return again;
  if (ready_.Push(again, seat.again_priority_)) {
    ready_.PassBy(seat.cursor_);
    Announce(1);  // an item that is on its way out may have seen what waited, and not this one
  } else {
    keeper_->OnRefused(*again);
    seat.still_now_.reset();
  }
  return Find(seat, anywhere);
}

// What runs next on the seat; null: nothing, and the item counts as out.
Runnable* Pool::Next(TbbSeat& seat, bool strays_first) {
  seat.still_now_ = std::exchange(seat.kept_, std::nullopt);
  return seat.again_ != nullptr ? Again(seat, /*anywhere=*/strays_first) : Find(seat, strays_first);
}

// The same, of what is in the queue.
Runnable* Pool::Find(TbbSeat& seat, bool strays_first) {
  while (true) {
    if (Runnable* const runnable = Take(seat, strays_first)) return runnable;
    seat.still_now_.reset();
    if (idler_ != nullptr) idler_->OnIdle(seat);
    if (StayAwake(seat)) continue;
    if (idler_ != nullptr) idler_->OnLeave();
    if (items_.TryLeave([&] { return ready_.Any(seat.cursor_); })) return nullptr;
  }
}

// Null: nothing was seen.
Runnable* Pool::Take(TbbSeat& seat, bool strays_first) {
  // Where high ones never end, the normal ones' turns are all that strays get.
  using First = Ready::First;
  const First first = strays_first || ready_.mixed() ? First::kStrays : First::kOwn;
  Runnable* runnable = nullptr;
  static_cast<void>(ready_.TryTake(seat.cursor_, runnable, first, CallFor));
  return runnable;
}

void Pool::CallFor(Runnable* runnable) { PrefetchForWrite(runnable, kUsed); }

bool Pool::StayAwake(const TbbSeat& seat) const {
  const int64_t since = CoarseNow();
  for (int look = 0; look < kLooksBeforeLeaving; ++look) {
    std::this_thread::yield();
    if (ready_.Any(seat.cursor_)) return true;
    if (CoarseNow() != since) return false;  // others want the core: a yield takes a time slice
  }
  return false;
}

// What a thread of the crew does, all its life on its seat. As work of the seat's context, which is
// where nested loops find theirs. Isolated: a body that waits for its loop does nothing for others
// meanwhile, and no other's task comes before it. It waits for its calls in there too: to come in
// anew for each item would cost as much as a short item does.
void Pool::Serve(TbbSeat& seat, const std::function<bool()>& called) {
  const auto items = [&] {
    while (called()) RunItem(seat);
    seat.ResetNested();  // TBB would throw here what has been thrown in the context
  };
  tbb_->arena.execute([&] {
    oneapi::tbb::this_task_arena::isolate(
        [&] { oneapi::tbb::task_group(seat.context_).run_and_wait(items); });
  });
  // For what thread_locals of bodies do now: Join waits for it.
  static_cast<void>(ExchangeHere(id_));
}

void Pool::RunItem(TbbSeat& seat) {
  while (!Drain(seat)) {
  }
  idle_.Notify();
}

// True: nothing is left to do; false: the item's time is up, and another one follows at once.
bool Pool::Drain(TbbSeat& seat) {
  int64_t tick = CoarseNow();
  const int64_t until = tick + kDrainBudget;
  seat.kept_.reset();
  // Whoever finds more and more pending never comes to what strays behind a long body of another
  // seat: so each item begins with that. Nor does what ran again when the time was up, and has
  // stayed on the seat: it gives way to all that waits.
  Runnable* runnable = Next(seat, /*strays_first=*/true);
  for (; runnable != nullptr; runnable = Next(seat, /*strays_first=*/false)) {
    seat.ResetNested();
    runnable->Run(seat);
    const int64_t now = CoarseNow();
    // A tick has passed: the thread may have been off its core.
    if (std::exchange(tick, now) != now) seat.kept_.reset();
    if (now < until) continue;
    if (idler_ != nullptr) idler_->OnIdle(seat);
    break;
  }
  return runnable == nullptr;
}

void Pool::Join() {
  if (executor_ != nullptr) return executor_->JoinPool();
  Await(idle_, [this] { return items_.TryClose(); });
  Stop();
}

}  // namespace taskvisor::internal
