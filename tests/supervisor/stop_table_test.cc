// {queued, running, delaying, waiting for a permit, in a nested loop} x {cancel, remove, timeout,
// deadline, shutdown, handle dropped, supervisor destroyed} x {obeys, succeeds late, fails late,
// throws late, ignores} x {Never, OnFailure}: each situation is brought about on a manual clock,
// and the outcome, the whole sequence of the task's events and the time it takes must be those
// that follow from the rules in Expect.

#include <gtest/gtest.h>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>

#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/bodies.h"
#include "tests/support/harness.h"
#include "tests/support/sanitizers.h"

namespace taskvisor::testing {
namespace {

using std::chrono::milliseconds;
using enum EventKind;

enum class Where : uint8_t { kQueued, kRunning, kDelaying, kWaiting, kNested };
enum class What : uint8_t {
  kCancel,
  kRemove,
  kTimeout,
  kDeadline,
  kShutdown,
  kDropped,
  kDestroyed,
};
enum class How : uint8_t { kObeys, kSucceedsLate, kFailsLate, kThrowsLate, kIgnores };
enum class Policy : uint8_t { kNever, kOnFailure };

constexpr Duration kDeadline = milliseconds(50);
constexpr Duration kTimeout = milliseconds(100);
constexpr Duration kBackoff = milliseconds(500);
constexpr Duration kGrace = milliseconds(1000);

struct Cell {
  Where where;
  What what;
  How how;
  Policy policy;

  [[nodiscard]] bool HasBody() const { return where == Where::kRunning || where == Where::kNested; }
  [[nodiscard]] bool Asked() const { return what == What::kCancel || what == What::kRemove; }
  [[nodiscard]] bool ByShutdown() const {
    return what == What::kShutdown || what == What::kDestroyed;
  }
  // A dropped handle is nothing to anybody, a timeout nothing to a task that has no attempt.
  [[nodiscard]] bool Untouched() const {
    return what == What::kDropped || (what == What::kTimeout && !HasBody());
  }
  // The cells that make no sense:
  //   without a body, or untouched, nobody answers: one answer stands for all
  //   a timeout has no grace: to ignore it is to be late
  //   only a task that is retried is ever delayed
  [[nodiscard]] bool MakesSense() const {
    if ((!HasBody() || Untouched()) && how != How::kObeys) return false;
    if (what == What::kTimeout && how == How::kIgnores) return false;
    return where != Where::kDelaying || policy == Policy::kOnFailure;
  }
};

std::vector<Cell> Cells() {
  std::vector<Cell> cells;
  for (int i = 0; i < 5 * 7 * 5 * 2; ++i) {
    const Cell cell{static_cast<Where>(i % 5), static_cast<What>(i / 5 % 7),
                    static_cast<How>(i / 35 % 5), static_cast<Policy>(i / 175)};
    if (cell.MakesSense()) cells.push_back(cell);
  }
  return cells;
}

std::string NameOf(const ::testing::TestParamInfo<Cell>& info) {
  static constexpr const char* kWhere[] = {"Queued", "Running", "Delaying", "Waiting", "Nested"};
  static constexpr const char* kWhat[] = {"Cancel",   "Remove",  "Timeout",  "Deadline",
                                          "Shutdown", "Dropped", "Destroyed"};
  static constexpr const char* kHow[] = {"Obeys", "SucceedsLate", "FailsLate", "ThrowsLate",
                                         "Ignores"};
  const Cell& cell = info.param;
  return std::string(kWhere[static_cast<size_t>(cell.where)]) + "_" +
         kWhat[static_cast<size_t>(cell.what)] + "_" + kHow[static_cast<size_t>(cell.how)] +
         (cell.policy == Policy::kNever ? "_Never" : "_OnFailure");
}

void PrintTo(const Cell& cell, std::ostream* out) { *out << NameOf({cell, 0}); }

struct Expected {
  OutcomeKind outcome = OutcomeKind::kCancelled;
  uint32_t attempts = 0;
  std::vector<EventKind> events = {kTaskAddRequested, kTaskAdded};

  void Add(std::initializer_list<EventKind> kinds) { events.insert(events.end(), kinds); }
};

// Of an attempt that has run when it was touched, and whose body came back.
void AddEndOfAttempt(const Cell& cell, Expected& expected) {
  const bool limit = cell.what == What::kTimeout || cell.what == What::kDeadline;
  if (limit) expected.Add({kTimeoutHit});
  const bool failed = limit || cell.how == How::kFailsLate || cell.how == How::kThrowsLate;
  expected.Add({failed ? kTaskFailed : kTaskStopped});
  if (cell.what == What::kDeadline || (failed && cell.policy == Policy::kNever)) {
    expected.outcome = OutcomeKind::kFailed;
  } else if (failed) {
    expected.Add({kBackoffScheduled});  // the retry was due, stopped or not
    // A timeout ends the attempt only: the task is then removed by the test.
    if (cell.what == What::kTimeout) expected.Add({kTaskRemoveRequested});
  }
}

// The rules.
Expected Expect(const Cell& cell) {
  Expected expected;
  if (cell.where == Where::kDelaying) {
    expected.attempts = 1;
    expected.Add({kTaskStarting, kTaskFailed, kBackoffScheduled});
  }
  if (cell.HasBody() || cell.Untouched()) {
    ++expected.attempts;
    expected.Add({kTaskStarting});
  }
  if (cell.Asked()) expected.Add({kTaskRemoveRequested});
  if (cell.Untouched()) {
    expected.outcome = OutcomeKind::kCompleted;
    expected.Add({kTaskStopped});
  } else if (cell.how == How::kIgnores) {
    expected.outcome = OutcomeKind::kStuck;
    if (cell.what == What::kDeadline) expected.Add({kTimeoutHit});
  } else if (cell.HasBody()) {
    AddEndOfAttempt(cell, expected);
  } else if (cell.what == What::kDeadline) {
    expected.outcome = OutcomeKind::kFailed;
  }
  const bool by_rules =
      expected.outcome == OutcomeKind::kCompleted || expected.outcome == OutcomeKind::kFailed;
  expected.Add({by_rules ? kActorExhausted : kActorDead});
  // A body that comes back after the shutdown is over has nobody to tell.
  if (cell.how != How::kIgnores || !cell.ByShutdown()) expected.Add({kTaskRemoved});
  return expected;
}

class StopTable : public ::testing::TestWithParam<Cell> {
 protected:
  // One worker, so that a task can be queued behind another; one permit and two workers, so
  // that one can wait for it.
  void SetUp() override {
    if (cell_.where == Where::kNested && kThreadSanitizer) {
      GTEST_SKIP() << "the hand-over inside libtbb is invisible to it";
    }
    const bool two = cell_.where == Where::kWaiting || cell_.where == Where::kNested;
    SupervisorConfig config{
        .workers = two ? size_t{2} : size_t{1}, .grace = kGrace, .destroy_grace = kGrace};
    if (cell_.where == Where::kWaiting) config.max_concurrent = 1;
    harness_ = std::make_unique<Harness>(std::move(config));
    handle_.emplace(harness_->Serve());
    if (cell_.where == Where::kQueued || cell_.where == Where::kWaiting) {
      blocker_ = std::make_unique<HeldBody>();
      ASSERT_TRUE(handle_->Add(TaskSpec::Once("blocker", blocker_->Body())).ok());
      ASSERT_TRUE(blocker_->Inside());
    }
    Bring();
  }
  void TearDown() override {
    late_.Open();
    go_on_.Open();
    if (blocker_ != nullptr) blocker_->LetGo();
    if (helper_.joinable()) helper_.join();
  }

  // The task, to where it is wanted.
  void Bring() {
    auto spec = TaskSpec::Restartable("task", [this](TaskContext& c) { return Body(c); })
                    .WithBackoff(BackoffPolicy::Constant(kBackoff))
                    .WithTimeout(kTimeout);
    if (cell_.what == What::kDeadline) spec = std::move(spec).WithDeadline(kDeadline);
    if (cell_.policy == Policy::kNever) spec = std::move(spec).WithRestart(RestartPolicy::Never());
    const auto added = handle_->AddAndWatch(std::move(spec));
    ASSERT_TRUE(added.ok()) << added.status();
    id_ = added->id;
    waiter_ = added->waiter;
    static constexpr TaskPhase kPhases[] = {TaskPhase::kQueued, TaskPhase::kRunning,
                                            TaskPhase::kDelaying, TaskPhase::kWaiting,
                                            TaskPhase::kRunning};
    ASSERT_TRUE(AwaitPhase(kPhases[static_cast<size_t>(cell_.where)]));
    ASSERT_TRUE(!cell_.HasBody() || inside_.Wait());
  }

  TaskResult Body(TaskContext& context) {
    if (cell_.where == Where::kDelaying && context.attempt() == 1) return Fail("the first fails");
    const auto tell = context.OnCancel([this] { told_.Open(); });
    Gate& until = cell_.Untouched() ? go_on_ : told_;
    if (cell_.where == Where::kNested) {
      Loop(cell_.Untouched() ? 2 : 1'000'000, until);
    } else {
      inside_.Open();
      until.Pass();
    }
    if (cell_.Untouched()) return Ok();
    if (cell_.how == How::kObeys) return Cancelled();
    late_.Pass();
    if (cell_.how == How::kFailsLate) return Fail("late");
    if (cell_.how == How::kThrowsLate) throw std::runtime_error("late");
    return Ok();
  }

  // No step of it looks at the cancellation. Loops are told before scopes are.
  void Loop(size_t steps, Gate& until) {
    oneapi::tbb::parallel_for(
        oneapi::tbb::blocked_range<size_t>(0, steps, 1),
        [&](const oneapi::tbb::blocked_range<size_t>&) {
          ++steps_;
          inside_.Open();
          until.Pass();
        },
        oneapi::tbb::simple_partitioner());
  }

  bool AwaitPhase(TaskPhase phase) {
    return Eventually([&] {
      for (const TaskInfo& task : handle_->List()) {
        if (task.id == id_) return task.phase == phase;
      }
      return false;
    });
  }

  // What happens to it; returns when its body has been told.
  void Happen() {
    switch (cell_.what) {
      case What::kCancel:
        helper_ = std::thread(
            [this] { EXPECT_EQ(handle_->Cancel(id_).ok(), cell_.how != How::kIgnores); });
        break;
      case What::kRemove:
        EXPECT_TRUE(handle_->Remove(id_).value());
        break;
      case What::kTimeout:
        harness_->Advance(kTimeout);
        break;
      case What::kDeadline:
        harness_->Advance(kDeadline);
        break;
      case What::kShutdown:
        handle_->RequestShutdown();
        break;
      case What::kDropped:
        static_cast<void>(harness_->Serve());
        break;
      case What::kDestroyed:
        helper_ = std::thread([this] { harness_->supervisor.reset(); });
        break;
    }
    ASSERT_TRUE(!cell_.HasBody() || cell_.Untouched() || told_.Wait());
  }

  // Those that are not ended by what happened end in another way.
  void ComeToAnEnd() {
    if (cell_.how == How::kIgnores) return AwaitGrace();
    late_.Open();
    if (cell_.Untouched()) {
      EXPECT_FALSE(waiter_.Ready());
      go_on_.Open();
      if (blocker_ != nullptr) blocker_->LetGo();
      if (cell_.where != Where::kDelaying) return;
      harness_->Advance(cell_.what == What::kTimeout ? kBackoff - kTimeout : kBackoff);
    } else if (cell_.what == What::kTimeout && cell_.policy == Policy::kOnFailure) {
      ASSERT_TRUE(AwaitPhase(TaskPhase::kDelaying));
      EXPECT_TRUE(handle_->Remove(id_).value());
    }
  }

  // Given up when the grace is over and not before. (A shutdown's begins after its tasks were
  // told, at a moment that nobody sees.)
  void AwaitGrace() {
    harness_->Advance(kGrace - Duration(1));
    EXPECT_FALSE(waiter_.Ready());
    EXPECT_TRUE(harness_->AdvanceUntil([&] { return waiter_.Ready(); },
                                       cell_.ByShutdown() ? kGrace : Duration(1)));
  }

  void EndAll(bool stuck) {
    const bool late_end = stuck && cell_.ByShutdown();
    if (late_end) {
      EXPECT_FALSE(handle_->Shutdown().ok());  // which delivers every event
    }
    if (helper_.joinable()) helper_.join();  // told while the body is still in
    late_.Open();
    EXPECT_TRUE(waiter_.Drained().ok());
    if (blocker_ != nullptr) blocker_->LetGo();
    EXPECT_EQ(handle_->Shutdown().ok(), !late_end);
  }

  const Cell cell_ = GetParam();
  std::unique_ptr<Harness> harness_;
  std::optional<SupervisorHandle> handle_;
  std::unique_ptr<HeldBody> blocker_;
  TaskId id_;
  TaskWaiter waiter_;
  Gate inside_;
  Gate told_;
  Gate late_;
  Gate go_on_;
  std::atomic<size_t> steps_{0};
  std::thread helper_;
};

std::string Text(const std::vector<EventKind>& kinds) {
  std::string text;
  for (const EventKind kind : kinds) text += std::string(Label(kind)) + " ";
  return text;
}

TEST_P(StopTable, HasItsOutcomeAndItsEventsInOrderAndInTime) {
  ASSERT_NO_FATAL_FAILURE(Happen());
  ASSERT_NO_FATAL_FAILURE(ComeToAnEnd());
  // The clock stands: nothing but what was said takes any time.
  ASSERT_TRUE(Eventually([&] { return waiter_.Ready(); }));
  const TaskOutcome outcome = waiter_.Wait().value();
  EndAll(outcome.kind() == OutcomeKind::kStuck);

  const Expected expected = Expect(cell_);
  EXPECT_EQ(Label(outcome.kind()), Label(expected.outcome));
  EXPECT_EQ(outcome.attempts(), expected.attempts);
  EXPECT_EQ(Text(harness_->recorder->KindsOf(id_)), Text(expected.events));
  EXPECT_EQ(outcome.cause() == CancelCause::kDeadline, cell_.what == What::kDeadline);
  EXPECT_LE(steps_, 4u) << "those that had begun, and one more that was about to";
  const auto permits = handle_->Stats().permits;
  EXPECT_TRUE(!permits.has_value() || *permits == 1) << *permits;
}

INSTANTIATE_TEST_SUITE_P(All, StopTable, ::testing::ValuesIn(Cells()), NameOf);

// At rest: 7 stops, one answer, two policies, but for the delayed ones, which have one. With a
// body: 5 stops with a grace and 5 answers, a timeout and 4, a dropped handle and 1; 2 policies.
TEST(StopTableCells, AreAllThatMakeSense) {
  EXPECT_EQ(Cells().size(), (7u * 2 + 7 + 7 * 2) + 2 * (5 * 5 + 4 + 1) * 2);
}

}  // namespace
}  // namespace taskvisor::testing
