// Everything at once, on a bus of one record and subscriber queues of one: whatever is lost
// or refused, every accepted task has one outcome, and the books balance at the end.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "supervisor/runtime.h"
#include "tests/stress/event_ledger.h"
#include "tests/stress/workload.h"
#include "tests/support/gate.h"

namespace taskvisor::testing {
namespace {

using std::chrono::microseconds;

struct MixOptions {
  size_t threads = 4;
  size_t workers = 4;
  size_t max_concurrent = 3;
  uint64_t tasks = 100'000;
  size_t bus_capacity = 1;
  size_t queue_capacity = 1;  // of the subscriber who wants all
};

// One task as its adder remembers it.
struct Added {
  std::shared_ptr<Probe> probe;
  absl::Status status;  // of the add
};

class Mix {
 public:
  Mix(const MixOptions& options, uint64_t seed)
      : options_(options),
        seed_(seed),
        all_(std::make_shared<Bookkeeper>("all", options.queue_capacity)) {
    SupervisorConfig config{.workers = options.workers,
                            .max_concurrent = options.max_concurrent,
                            .max_tasks = 48,
                            .bus_capacity = options.bus_capacity,
                            .subscribers = {all_, failures_}};
    auto created =
        internal::RuntimeAccess::Create(std::move(config), FanOutLedger::HooksFor(fan_out_));
    EXPECT_TRUE(created.ok()) << created.status();
    supervisor_ = std::make_unique<Supervisor>(std::move(created).value());
    shared_.max_inside = static_cast<int64_t>(options.max_concurrent);
    shared_.add_child = [this](uint32_t parent) { AddChild(parent); };
    books_.resize(options.threads);
  }

  void Run() {
    handle_.emplace(supervisor_->Serve());
    std::vector<std::thread> threads;
    for (size_t t = 0; t < options_.threads; ++t) {
      threads.emplace_back([this, t] { AddLoop(t); });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void Judge() {
    std::vector<OutcomeKind> kinds;
    const auto judge = [&](const Added& added) { JudgeOne(added, kinds); };
    for (const auto& book : books_) std::for_each(book.begin(), book.end(), judge);
    // No adder is left, and all they added is done: no parent is left to add more.
    for (size_t i = 0; i < children_.size(); ++i) judge(children_[i]);
    ASSERT_TRUE(Eventually([this] { return handle_->Stats().tasks == 0; }));
    EXPECT_TRUE(handle_->List().empty());
    EXPECT_EQ(handle_->Stats().permits, static_cast<int64_t>(options_.max_concurrent));

    EXPECT_TRUE(supervisor_->Shutdown().ok());
    JudgeViolations();
    JudgeEvents();
    // One outcome: what a waiter said once it says for ever.
    size_t i = 0;
    const auto again = [&](const Added& added) {
      if (!added.status.ok()) return;
      EXPECT_EQ(added.probe->waiter.Wait()->kind(), kinds[i++]);
    };
    for (const auto& book : books_) std::for_each(book.begin(), book.end(), again);
    std::for_each(children_.begin(), children_.end(), again);
    RecordTotals(kinds.size());
  }

 private:
  using Book = std::deque<Added>;

  void AddLoop(size_t thread) {
    Workload work(seed_ + thread, shared_);
    Book& book = books_[thread];
    const uint64_t share = options_.tasks / options_.threads;
    while (book.size() < share) {
      const size_t before = book.size();
      if (work.random().Percent(10)) {
        AddSome(work, book, 2 + work.random().Below(3));
      } else {
        AddOne(work, book);
      }
      const bool added = book.size() > before && book.back().status.ok();
      if (added && work.random().Percent(40)) Stop(work, *book.back().probe);
      if (work.random().Percent(5)) StopByName(work);
      if (work.random().Percent(5)) StopOld(work, book);
    }
  }

  std::shared_ptr<Probe> NewProbe() {
    auto probe = std::make_shared<Probe>();
    probe->number = next_number_.fetch_add(1);
    return probe;
  }

  void AddOne(Workload& work, Book& book) {
    const auto probe = NewProbe();
    TaskSpec spec = work.Draw(probe, /*named=*/40);
    const bool wait = work.random().Percent(60);
    AddCall add = &SupervisorHandle::TryAddAndWatch;
    if (wait) add = &SupervisorHandle::AddAndWatch;
    Record(book, probe, add, std::move(spec));
  }

  using AddCall = absl::StatusOr<WatchedTask> (SupervisorHandle::*)(TaskSpec) const;
  void Record(Book& book, const std::shared_ptr<Probe>& probe, AddCall add, TaskSpec spec) {
    TaskWaiter waiter = spec.Watch();
    const auto added = ((*handle_).*add)(std::move(spec));
    probe->waiter = added.ok() ? added->waiter : std::move(waiter);
    if (added.ok()) probe->id = added->id;
    book.push_back({probe, added.status()});
  }

  void AddSome(Workload& work, Book& book, uint64_t count) {
    std::vector<std::shared_ptr<Probe>> probes;
    std::vector<TaskSpec> specs;
    for (uint64_t i = 0; i < count; ++i) {
      probes.push_back(NewProbe());
      specs.push_back(work.Draw(probes.back(), /*named=*/20));
      probes.back()->waiter = specs.back().Watch();
    }
    const auto ids = handle_->AddBatch(std::move(specs));
    for (uint64_t i = 0; i < count; ++i) {
      if (ids.ok()) probes[i]->id = (*ids)[i];
      book.push_back({probes[i], ids.status()});
    }
  }

  // From a body: on a worker, where only TryAdd is sure not to answer WouldDeadlock.
  void AddChild(uint32_t parent) {
    Workload work(seed_ ^ (uint64_t{parent} << 32), shared_);
    const auto probe = NewProbe();
    probe->kind = BodyKind::kOk;
    TaskSpec spec = work.Make(probe, work.random().Percent(20) ? work.DrawName() : std::string());
    Book one;
    Record(one, probe, &SupervisorHandle::TryAddAndWatch, std::move(spec));
    std::lock_guard lock(children_mutex_);
    children_.push_back(one.front());
  }

  void Stop(Workload& work, Probe& probe) {
    probe.others_may_stop_it = true;
    switch (work.random().Below(4)) {
      case 0: {
        const bool first = handle_->Remove(probe.id).value();
        const bool second = handle_->Remove(probe.id).value();
        EXPECT_FALSE(first && second) << "two claims of one stop";
        return;
      }
      case 1:
        EXPECT_TRUE(handle_->Cancel(probe.id).ok());
        EXPECT_TRUE(probe.waiter.Ready()) << "cancelled, but no outcome";
        return;
      case 2: {
        const auto mine =
            handle_->CancelWithTimeout(probe.id, microseconds(work.random().Below(60)));
        EXPECT_EQ(ErrorLabel(mine.status()), mine.ok() ? "" : "runtime_task_termination_timeout");
        EXPECT_TRUE(!mine.ok() || probe.waiter.Ready());
        return;
      }
      default:
        static_cast<void>(probe.waiter.WaitFor(microseconds(work.random().Below(60))));
    }
  }

  void StopByName(Workload& work) {
    const std::string name = work.DrawName();
    if (work.random().Percent(50)) {
      EXPECT_TRUE(handle_->RemoveByName(name).ok());
    } else {
      static_cast<void>(handle_->CancelByNameWithTimeout(name, microseconds(50)));
    }
  }

  // Mostly ids that are long gone, whose slots are others' now.
  void StopOld(Workload& work, const Book& book) {
    const Added& old = book[work.random().Below(book.size())];
    if (!old.status.ok()) return;
    old.probe->others_may_stop_it = true;
    const bool was_over = old.probe->waiter.IsDrained();
    const bool mine = handle_->Remove(old.probe->id).value();
    EXPECT_FALSE(was_over && mine) << "a stale id stopped something";
  }

  void JudgeOne(const Added& added, std::vector<OutcomeKind>& kinds) {
    const auto outcome = added.probe->waiter.Wait();
    if (added.status.ok()) {
      ASSERT_TRUE(outcome.ok()) << "accepted, but " << outcome.status();
      EXPECT_EQ(taskvisor::testing::Judge(*added.probe, *outcome), "");
      EXPECT_TRUE(added.probe->waiter.IsDrained());
      kinds.push_back(outcome->kind());
      return;
    }
    EXPECT_EQ(added.probe->runs.load(), 0u) << "refused, but its body ran";
    if (absl::IsAlreadyExists(added.status)) {
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      EXPECT_EQ(outcome->kind(), OutcomeKind::kRejected);
    } else {
      EXPECT_TRUE(absl::IsResourceExhausted(added.status)) << added.status;
      EXPECT_TRUE(absl::IsUnavailable(outcome.status())) << "refused, but it has an outcome";
    }
  }

  void JudgeViolations() {
    EXPECT_EQ(shared_.inside.load(), 0);
    EXPECT_EQ(shared_.violations.overlaps.load(), 0u);
    EXPECT_EQ(shared_.violations.over_limit.load(), 0u);
    EXPECT_EQ(shared_.violations.bad_attempt.load(), 0u);
  }

  void JudgeEvents() {
    EXPECT_EQ(fan_out_.out_of_step, 0u);
    EXPECT_EQ(fan_out_.last, fan_out_.records + fan_out_.lost);
    EXPECT_EQ(fan_out_.lost, handle_->Stats().events_lost);
    const auto stats = handle_->SubscriberStats();
    for (size_t i = 0; i < 2; ++i) {
      const Bookkeeper& book = i == 0 ? *all_ : *failures_;
      EXPECT_EQ(stats[i].queued, 0u);
      EXPECT_EQ(stats[i].offered, stats[i].delivered + stats[i].dropped) << stats[i].name;
      EXPECT_EQ(stats[i].delivered, book.seen);
      EXPECT_EQ(book.not_increasing, 0u);
      EXPECT_EQ(book.after_ends, 0u);
    }
    // The numbers that the first subscriber, who wants all, has not seen: lost before the
    // fan-out (but for those that the lag records carry), or dropped at its queue.
    EXPECT_EQ(stats[0].offered, fan_out_.records + fan_out_.lag_records);
    EXPECT_EQ(all_->missing + (fan_out_.last - all_->last),
              fan_out_.lost - fan_out_.lag_records + stats[0].dropped);
  }

  void RecordTotals(size_t accepted) {
    size_t tasks = children_.size();
    for (const Book& book : books_) tasks += book.size();
    std::printf("%zu tasks, %zu accepted, %llu events, %llu lost, %llu of %llu seen\n", tasks,
                accepted, static_cast<unsigned long long>(fan_out_.last),
                static_cast<unsigned long long>(fan_out_.lost),
                static_cast<unsigned long long>(all_->seen),
                static_cast<unsigned long long>(fan_out_.records));
  }

  const MixOptions options_;
  const uint64_t seed_;
  FanOutLedger fan_out_;
  const std::shared_ptr<Bookkeeper> all_;
  const std::shared_ptr<Bookkeeper> failures_ =
      std::make_shared<Bookkeeper>("failures", 1, EventMask::Failures());
  Workload::Shared shared_;
  std::atomic<uint32_t> next_number_{1};
  std::vector<Book> books_;
  std::mutex children_mutex_;
  Book children_;
  std::unique_ptr<Supervisor> supervisor_;
  std::optional<SupervisorHandle> handle_;
};

uint64_t StressTasks() { return FromEnvironment("TASKVISOR_STRESS_TASKS", 100'000); }

TEST(StressMix, EveryAcceptedTaskHasOneOutcomeAndTheBooksBalance) {
  Mix mix({.tasks = StressTasks()}, AnnouncedSeed());
  mix.Run();
  mix.Judge();
}

// Most events arrive, so most of their order is judged.
TEST(StressMix, TheSameWithRoomForMostEvents) {
  Mix mix({.tasks = StressTasks() / 4, .bus_capacity = 1001, .queue_capacity = 5000},
          AnnouncedSeed());
  mix.Run();
  mix.Judge();
}

TEST(StressMix, TheSameOnOneThreadAndOneWorker) {
  Mix mix({.threads = 1, .workers = 1, .max_concurrent = 1, .tasks = StressTasks() / 10},
          AnnouncedSeed());
  mix.Run();
  mix.Judge();
}

}  // namespace
}  // namespace taskvisor::testing
