#include "supervisor/testing/fiber_executor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "bus/late_wake.h"
#include "supervisor/no_waiting.h"
#include "supervisor/testing/fiber.h"
#include "supervisor/text.h"
#include "supervisor/this_thread.h"

namespace taskvisor::internal {
namespace {

// As a ManualClock: one day, 2000-01-01T00:00:00Z.
constexpr int64_t kStart = 86'400'000'000'000;
constexpr int64_t kWallStart = 946'684'800'000'000'000;

constexpr const char* kSubscriber = "subscriber";

// What the library keeps for each of its threads, and a strand takes with it.
struct ThreadMarks {
  Waits* waits = nullptr;
  uint32_t pool = 0;  // whose worker it is
  const NoWaiting* no_waiting = nullptr;
  LateWake* late_wake = nullptr;
  int32_t number = 0;

  void Exchange() {
    waits = Waits::Exchange(waits);
    pool = Pool::ExchangeHere(pool);
    no_waiting = NoWaiting::Exchange(no_waiting);
    late_wake = LateWake::Exchange(late_wake);
    number = ExchangeThisThread(number);
  }
};

}  // namespace

class Strand {
 public:
  enum State : uint8_t { kCanGoOn, kGaveWay, kParked, kIdle, kJoins };

  Strand(const char* the_name, std::function<void()> work)
      : name(the_name),
        times(std::strcmp(the_name, "tv-timer") == 0),
        carries(std::strcmp(the_name, "tv-bus") == 0 || std::strcmp(the_name, kSubscriber) == 0),
        fiber(std::move(work)) {}

  const char* const name;
  const bool times;    // the timer thread, which may look for nothing
  const bool carries;  // the bus or a subscriber
  Fiber fiber;
  ThreadMarks marks;
  State state = kCanGoOn;
  // kParked
  Atomic<uint32_t>* word = nullptr;
  uint32_t expected = 0;
  TimePoint until = TimePoint::max();
  // kGaveWay
  uint64_t gave_way_in = 0;  // this step
};

namespace {

class FiberSeat final : public Seat {
 public:
  explicit FiberSeat(uint32_t number) : Seat(number) {}
  void CancelNested() override {}  // a loop in a body is on other threads: not simulated
  [[nodiscard]] std::pair<Runnable*, Priority> TakeAgain() {
    return {std::exchange(again_, nullptr), again_priority_};
  }
};

}  // namespace

VirtualClock::VirtualClock() : now_(kStart) {}

WallTime VirtualClock::WallAt(TimePoint reading) const {
  return WallTime(Duration(kWallStart + reading.time_since_epoch().count() - kStart));
}

FiberExecutor::FiberExecutor(uint64_t seed) : random_(seed) {}

FiberExecutor::~FiberExecutor() = default;

void FiberExecutor::CheckThread(const char* call) const {
  if (std::this_thread::get_id() == owner_) return;
  StopSimulation(std::string(call) + " on a thread that is not the simulation's own");
}

void FiberExecutor::Start(const char* name, std::function<void()> work) {
  CheckThread("a thread is made");
  auto strand = std::make_unique<Strand>(name == nullptr ? kSubscriber : name, std::move(work));
  strand->marks.waits = this;
  strand->marks.number = ++last_number_;
  strands_.push_back(std::move(strand));
}

void FiberExecutor::Submit(Runnable& runnable, Priority priority) {
  CheckThread("a task is made ready");
  if (joined_) return;
  ready_.of[static_cast<size_t>(priority)].push_back(&runnable);
  AddWorkerIfShort();
}

void FiberExecutor::AddWorkerIfShort() {
  if (workers_ >= pool_->workers() || workers_ - busy_ >= ready_.count()) return;
  const auto number = static_cast<uint32_t>(workers_++);
  Start("worker", [this, number] { Work(number); });
  strands_.back()->marks.pool = pool_->id();
  strands_.back()->state = Strand::kIdle;
}

void FiberExecutor::Work(uint32_t number) {
  FiberSeat seat(number);
  while (ready_.count() > 0 || !joined_) {
    Runnable& runnable = TakeReady();
    ++busy_;
    runnable.Run(seat);
    --busy_;
    if (const auto [again, priority] = seat.TakeAgain(); again != nullptr) Submit(*again, priority);
    if (pool_->idler() != nullptr) pool_->idler()->OnIdle(seat);
    current_->state = Strand::kIdle;
    Suspend();
  }
}

Runnable& FiberExecutor::TakeReady() {
  static constexpr std::array<std::array<size_t, 3>, 3> kOrders = {{
      {static_cast<size_t>(Priority::kHigh), static_cast<size_t>(Priority::kNormal),
       static_cast<size_t>(Priority::kLow)},
      {static_cast<size_t>(Priority::kNormal), static_cast<size_t>(Priority::kLow),
       static_cast<size_t>(Priority::kHigh)},
      {static_cast<size_t>(Priority::kLow), static_cast<size_t>(Priority::kNormal),
       static_cast<size_t>(Priority::kHigh)},
  }};
  size_t order = 0;
  if (ready_.of[static_cast<size_t>(Priority::kNormal)].size() != ready_.count()) {
    const uint32_t turn = ready_.turns++ % 16;
    if (turn % 4 == 3) order = turn == 15 ? 2 : 1;
  }
  const auto has_some = [this](size_t priority) { return !ready_.of[priority].empty(); };
  auto& from = ready_.of[*std::find_if(kOrders[order].begin(), kOrders[order].end(), has_some)];
  std::swap(from[Choose(from.size())], from.back());
  Runnable* const taken = from.back();
  from.pop_back();
  return *taken;
}

void FiberExecutor::JoinPool() {
  current_->state = Strand::kJoins;
  Suspend();
  joined_ = true;
}

void FiberExecutor::Park(Atomic<uint32_t>& word, uint32_t expected, const Clock* clock,
                         TimePoint until) {
  current_->state = Strand::kParked;
  current_->word = &word;
  current_->expected = expected;
  current_->until = clock == clock_.get() ? until : TimePoint::max();
  Suspend();
}

void FiberExecutor::GiveWay() {
  current_->state = Strand::kGaveWay;
  current_->gave_way_in = steps_;
  Suspend();
}

void FiberExecutor::Suspend() { current_->fiber.Suspend(); }

bool FiberExecutor::CanGoOn(const Strand& strand) const {
  switch (strand.state) {
    case Strand::kCanGoOn:
      return true;
    case Strand::kGaveWay:
      return steps_ > strand.gave_way_in;
    case Strand::kParked:
      // acquire: pairs with the release of who changed it, as the futex's caller's look does.
      return strand.word->load(std::memory_order_acquire) != strand.expected ||
             strand.until <= clock_->Now();
    case Strand::kIdle:
      return ready_.count() > 0 || joined_;
    case Strand::kJoins:
      return ready_.count() == 0 && busy_ == 0;
  }
  return false;
}

bool FiberExecutor::Step() {
  CheckThread("a step");
  can_go_on_.clear();
  bool idle = false;  // one idle worker stands for all
  for (const auto& strand : strands_) {
    if (strand->state == Strand::kIdle && std::exchange(idle, true) && !joined_) continue;
    if (CanGoOn(*strand)) can_go_on_.push_back(strand.get());
  }
  if (can_go_on_.empty()) {
    for (const auto& strand : strands_) {
      if (strand->state == Strand::kGaveWay) can_go_on_.push_back(strand.get());
    }
  }
  if (can_go_on_.empty()) return false;
  GoOnWithOne();
  return true;
}

void FiberExecutor::CarryEvents() {
  while (true) {
    can_go_on_.clear();
    for (const auto& strand : strands_) {
      if (strand->carries && CanGoOn(*strand)) can_go_on_.push_back(strand.get());
    }
    if (can_go_on_.empty()) return;
    GoOnWithOne();
  }
}

void FiberExecutor::GoOnWithOne() {
  GoOn(*can_go_on_[can_go_on_.size() == 1 ? 0 : Choose(can_go_on_.size())]);
}

void FiberExecutor::GoOn(Strand& strand) {
  ++steps_;
  if (!strand.times) ++moves_;
  strand.until = TimePoint::max();
  Strand* const outer = std::exchange(current_, &strand);
  strand.marks.Exchange();
  strand.fiber.Resume();
  strand.marks.Exchange();
  current_ = outer;
  if (!strand.fiber.done()) return;
  std::erase_if(strands_, [&](const auto& each) { return each.get() == &strand; });
}

std::optional<TimePoint> FiberExecutor::NextTime() const {
  TimePoint next = TimePoint::max();
  for (const auto& strand : strands_) {
    if (strand->state == Strand::kParked) next = std::min(next, strand->until);
  }
  return next > kEndOfTime ? std::nullopt : std::optional(next);
}

std::string FiberExecutor::Describe() const {
  std::string text;
  for (const auto& strand : strands_) {
    text.append("  ").append(strand->name).append(" (thread ");
    text.append(std::to_string(strand->marks.number)).append(")");
    if (strand->state == Strand::kParked) text.append(" waits");
    if (strand->state == Strand::kParked && strand->until != TimePoint::max()) {
      text.append(" for ").append(ToText(strand->until - clock_->Now()));
    }
    text.append(strand->state == Strand::kIdle ? " is idle\n" : "\n");
  }
  return text + (describe_more_ ? describe_more_() : std::string());
}

void StopSimulation(std::string_view why, const std::string& details) {
  std::fprintf(stderr, "taskvisor: simulation: %.*s\n%s", static_cast<int>(why.size()), why.data(),
               details.c_str());
  std::abort();
}

}  // namespace taskvisor::internal
