// Coroutine bodies and plain ones, and their children, under wakes, cancels, timeouts and shutdowns
// that race: each task has one outcome, no frame is left, no permit is lost, no wake-up, and no
// attempt ends before its children.

#include "taskvisor/async.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "taskvisor/completion.h"
#include "taskvisor/supervisor.h"
#include "tests/async/frames.h"
#include "tests/support/bodies.h"
#include "tests/support/sanitizers.h"
#include "tests/support/seed.h"

namespace taskvisor::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kScale = kThreadSanitizer || kAddressSanitizer ? 1 : 5;

// A body sleeps in a completion each round; two threads set them, as soon as it may wait, at the
// very moment at which it suspends. A lost wake-up would hang it: there is no timeout.
TEST(StressAsync, NoCompletionIsLostBetweenDecidingToSuspendAndBeingSuspended) {
  InFrame::Reset();
  constexpr int kPairs = 4;
  constexpr int kRounds = kScale == 1 ? 1500 : 20'000;
  auto supervisor = Supervisor::Create({.workers = 2});
  const SupervisorHandle handle = supervisor->Serve();
  struct Lane {
    std::atomic<int> ready{-1};
    std::vector<Completion<int>> words;
  };
  std::vector<Lane> lanes(kPairs);
  std::vector<Waiter<int64_t>> waiters;
  for (Lane& lane : lanes) {
    lane.words.resize(static_cast<size_t>(kRounds));
    waiters.push_back(handle
                          .AddAndWatch(TaskSpec::Once([&lane]() -> Async<int64_t> {
                            const InFrame frame;
                            int64_t sum = 0;
                            for (int i = 0; i < kRounds; ++i) {
                              lane.ready.store(i, std::memory_order_release);
                              sum += co_await lane.words[static_cast<size_t>(i)];
                            }
                            co_return sum;
                          }))
                          ->waiter);
  }
  const auto set = [&](size_t first) {
    for (int i = 0; i < kRounds; ++i) {
      for (size_t lane = first; lane < lanes.size(); lane += 2) {
        while (lanes[lane].ready.load(std::memory_order_acquire) < i) std::this_thread::yield();
        lanes[lane].words[static_cast<size_t>(i)].Set(i);
      }
    }
  };
  std::thread one(set, 0);
  std::thread two(set, 1);
  one.join();
  two.join();
  for (const auto& waiter : waiters) {
    const auto sum = waiter.GetFor(seconds(60));
    ASSERT_TRUE(sum.ok()) << sum.status() << ": a wake-up is lost";
    EXPECT_EQ(*sum, int64_t{kRounds} * (kRounds - 1) / 2);
  }
  EXPECT_EQ(InFrame::alive(), 0);
  EXPECT_TRUE(handle.Shutdown().ok());
}

// What random bodies share.
struct Stage {
  std::vector<Completion<int>> words = std::vector<Completion<int>>(64);
  Crowd crowd;
  std::atomic<int> children{0};
};
constexpr int kGenerations = 3;

// Who has children: each of these holds on to the token until its task has ended, so that the next
// attempt can tell that all have.
class Home {
 public:
  void ExpectEmpty() const {
    EXPECT_EQ(token_.use_count(), 1) << "the last attempt has ended before its children";
  }
  [[nodiscard]] std::shared_ptr<int> token() const { return token_; }

 private:
  std::shared_ptr<int> token_ = std::make_shared<int>();
};

absl::StatusOr<WatchedTask> SpawnAny(Stage& stage, const Home& home, const TaskContext& context,
                                     Random& random, int generation);

// What a random coroutine does.
struct Script {
  Stage& stage;
  uint64_t seed;
  int generation = 0;
  Home home = {};

  Async<int> Part(uint64_t n) const {
    const InFrame frame;
    co_await SleepFor(microseconds(n % 300));
    co_return co_await stage.words[n % stage.words.size()];
  }

  Async<TaskResult> operator()(TaskContext& context) const {
    const InFrame frame;
    home.ExpectEmpty();
    Random random(seed + context.attempt());
    for (int step = 0; step < 4; ++step) {
      { const Crowd::Inside inside(stage.crowd); }
      const Completion<int>& word = stage.words[random.Below(stage.words.size())];
      switch (random.Below(10)) {
        case 0:
          co_await Yield();
          break;
        case 1:
          co_await SleepFor(microseconds(random.Below(500)));
          break;
        case 2:
          co_await word;
          break;
        case 3:
          if (!co_await context.RunUntilCancelled(word)) co_return Cancelled();
          break;
        case 4:
          co_await Part(random.Next());
          break;
        case 5:
          if (!co_await context.RunUntilCancelled(Part(random.Next()))) co_return Cancelled();
          break;
        case 6:
          if (random.Percent(30)) throw std::runtime_error("thrown");
          break;
        case 7:
        case 8:
          if (const auto child = SpawnAny(stage, home, context, random, generation);
              child.ok() && random.Percent(50)) {
            context.KeepPermit(false);  // which the child may need
            static_cast<void>(co_await child->waiter);
          }
          break;
        default:
          context.KeepPermit(random.Percent(50));
          co_await RunUntilCancelled(SleepFor(microseconds(random.Below(300))));
      }
    }
    co_return random.Percent(20) ? Fail("failed") : Ok();
  }
};

// And a plain body.
struct Plain {
  Stage& stage;
  uint64_t seed;
  int generation = 0;
  Home home = {};

  TaskResult operator()(TaskContext& context) const {
    home.ExpectEmpty();
    Random random(seed + context.attempt());
    const Crowd::Inside inside(stage.crowd);
    for (uint64_t children = random.Below(3); children > 0; --children) {
      static_cast<void>(SpawnAny(stage, home, context, random, generation));
    }
    static_cast<void>(context.SleepFor(microseconds(random.Below(100))));
    return random.Percent(20) ? Fail("failed") : Ok();
  }
};

// Limits of a random task.
TaskSpec Limited(TaskSpec spec, Random& random) {
  return std::move(spec)
      .WithBackoff(BackoffPolicy::Constant(microseconds(random.Below(200))))
      .WithMaxRetries(3)
      .WithTimeout(microseconds(random.Percent(50) ? 200 + random.Below(3000) : 0));
}

absl::StatusOr<WatchedTask> SpawnAny(Stage& stage, const Home& home, const TaskContext& context,
                                     Random& random, int generation) {
  if (generation == kGenerations) return absl::OutOfRangeError("the last generation");
  ++stage.children;
  const uint64_t seed = random.Next();
  const ChildOptions options{random.Percent(50) ? OnChildFailure::kCancelSiblings
                                                : OnChildFailure::kIgnore};
  const auto spawn = [&](auto body) {
    return context.Spawn(Limited(TaskSpec::Restartable([body = std::move(body), at = home.token()](
                                                           TaskContext& own) { return body(own); }),
                                 random),
                         options);
  };
  if (random.Percent(40)) return spawn(Plain{stage, seed, generation + 1});
  return spawn(Script{stage, seed, generation + 1});
}

void Storm(uint64_t seed, std::optional<size_t> permits, bool drain) {
  InFrame::Reset();
  Random random(seed);
  Stage stage;
  SupervisorConfig config;
  config.workers = 2;
  config.max_concurrent = permits;
  auto supervisor = Supervisor::Create(std::move(config));
  const SupervisorHandle handle = supervisor->Serve();
  std::vector<WatchedTask> tasks;
  for (int i = 0; i < 300; ++i) {
    auto spec = random.Percent(20) ? TaskSpec::Restartable(Plain{stage, random.Next()})
                                   : TaskSpec::Restartable(Script{stage, random.Next()});
    auto task = handle.AddAndWatch(Limited(std::move(spec), random));
    ASSERT_TRUE(task.ok()) << task.status();
    tasks.push_back(*std::move(task));
  }
  std::thread setter([&, own = random.Next()] {
    Random at(own);
    for (const auto& word : stage.words) {
      word.Set(1);
      if (at.Percent(50)) std::this_thread::sleep_for(microseconds(at.Below(100)));
    }
  });
  std::thread canceller([&, own = random.Next()] {
    Random at(own);
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(handle.Remove(tasks[at.Below(tasks.size())].id));
      std::this_thread::sleep_for(microseconds(at.Below(60)));
    }
  });
  if (drain) {
    setter.join();
    for (const auto& task : tasks) {
      const auto outcome = task.waiter.WaitFor(seconds(60));
      ASSERT_TRUE(outcome.ok()) << outcome.status() << ": " << task.id.ToString() << " hangs";
    }
    canceller.join();
    if (permits.has_value()) {
      EXPECT_TRUE(Eventually([&] {
        return handle.Stats().permits == static_cast<int64_t>(*permits);
      })) << *handle.Stats().permits;
    }
    EXPECT_TRUE(handle.Shutdown().ok());
  } else {
    EXPECT_TRUE(handle.Shutdown().ok());
    setter.join();
    canceller.join();
  }
  for (const auto& task : tasks) ASSERT_TRUE(task.waiter.Ready());
  EXPECT_EQ(InFrame::alive(), 0) << "a frame leaks";
  EXPECT_LE(stage.crowd.most(), static_cast<int>(permits.value_or(2)));
  // A shutdown may come before the first.
  EXPECT_TRUE(stage.children > 0 || !drain);
}

TEST(StressAsync, WakesCancelsAndTimeoutsMayRace) {
  const uint64_t seed = AnnouncedSeed();
  for (int round = 0; round < 6 * kScale && !::testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(round);
    Storm(seed + static_cast<uint64_t>(round), std::nullopt, true);
  }
}

TEST(StressAsync, AndSoWithPermits) {
  const uint64_t seed = AnnouncedSeed();
  for (int round = 0; round < 6 * kScale && !::testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(round);
    Storm(seed + static_cast<uint64_t>(round), 1 + static_cast<size_t>(round % 2), true);
  }
}

TEST(StressAsync, AndSoInAShutdown) {
  const uint64_t seed = AnnouncedSeed();
  for (int round = 0; round < 6 * kScale && !::testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(round);
    const auto permits = round % 2 == 0 ? std::optional<size_t>() : std::optional<size_t>(1);
    Storm(seed + static_cast<uint64_t>(round), permits, false);
  }
}

}  // namespace
}  // namespace taskvisor::testing
