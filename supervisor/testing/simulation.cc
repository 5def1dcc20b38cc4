#include <algorithm>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "sched/timed_wait.h"
#include "supervisor/runtime.h"
#include "supervisor/testing/fiber_executor.h"
#include "supervisor/testing/outside.h"
#include "supervisor/text.h"
#include "taskvisor/testing.h"

namespace taskvisor::testing {

using internal::FiberExecutor;

namespace {

constexpr size_t kWorkers = 4;
constexpr size_t kBusCapacity = 65536;
constexpr int kMostWaitsLeft = 10'000;  // after the shutdown

[[noreturn]] void Refuse(const absl::Status& status) {
  throw std::invalid_argument(std::string(internal::ToStd(status.message())));
}

SupervisorConfig Simulated(SupervisorConfig config, uint64_t seed, std::shared_ptr<Clock> clock) {
  if (config.clock != nullptr) {
    throw std::invalid_argument("clock: must be null; a simulation has its own");
  }
  config.clock = std::move(clock);
  if (config.workers == 0) config.workers = kWorkers;
  if (config.bus_capacity == SupervisorConfig().bus_capacity) config.bus_capacity = kBusCapacity;
  if (!config.jitter_seed.has_value()) config.jitter_seed = internal::Seeded(seed).Next();
  return config;
}

}  // namespace

struct Simulation::Inside {
  explicit Inside(SimulationOptions options)
      : seed(options.seed), executor(std::make_shared<FiberExecutor>(options.seed)) {
    internal::Hooks hooks;
    if (options.keep_events) {
      hooks.on_observe = [all = events](const Event& event) { all->push_back(event); };
    }
    hooks.executor = executor;
    SupervisorConfig config = Simulated(std::move(options.config), seed, executor->clock());
    admits_at_once = std::max<uint64_t>(config.bus_capacity / 8, 1);
    auto created = internal::RuntimeAccess::Create(std::move(config), std::move(hooks));
    if (!created.ok()) Refuse(created.status());
    supervisor.emplace(*std::move(created));
    handle.emplace(supervisor->Serve());
    executor->SetDescribe([this] { return Tasks(); });
    executor->SetCountTasks([this] {
      internal::Registry& registry = internal::RuntimeAccess::Of(*supervisor).registry();
      return FiberExecutor::TaskCounts{registry.gate().members(), registry.ever()};
    });
    internal::Outside::Enter(*executor);
  }

  ~Inside() {
    executor->SetDescribe(nullptr);
    executor->SetCountTasks(nullptr);
    handle.reset();
    supervisor.reset();
    internal::Outside::Leave(*executor);
  }

  // What waits while one of these lives is of this simulation.
  class Alone {
   public:
    explicit Alone(Inside& inside) : outer_(internal::Waits::Exchange(&inside.outside)) {
      inside.executor->CheckThread("a call");
      if (inside.executor->inside()) {
        internal::StopSimulation(
            "a body runs the simulation that it is in (Add, RunReady, Advance..., RunUntilIdle, "
            "Shutdown); it may use handle(), and its context to wait");
      }
    }
    ~Alone() { internal::Waits::Exchange(outer_); }
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;

   private:
    internal::Waits* const outer_;
  };

  [[nodiscard]] std::string Tasks() const {
    std::string text;
    for (const TaskInfo& task : handle->List()) {
      text.append("  task ").append(task.name).append(": ").append(Label(task.phase)).append("\n");
    }
    return text;
  }

  [[nodiscard]] bool Empty() const { return handle->Stats().tasks == 0; }

  bool RunReady() { return outside.RunReady(); }

  [[nodiscard]] TimePoint Now() const { return executor->Now(); }

  const uint64_t seed;
  uint64_t admitted = 0;
  uint64_t admits_at_once = 1;
  // Shared with the supervisor, which lives on if a body never returns.
  const std::shared_ptr<std::vector<Event>> events = std::make_shared<std::vector<Event>>();
  const std::shared_ptr<FiberExecutor> executor;
  const std::shared_ptr<Clock> clock = executor->clock();
  const TimePoint start = clock->Now();
  internal::Outside outside{*executor};
  std::optional<Supervisor> supervisor;
  std::optional<SupervisorHandle> handle;
};

Simulation::Simulation(SimulationOptions options)
    : inside_(std::make_unique<Inside>(std::move(options))) {}

Simulation::~Simulation() {
  const absl::Status status = Shutdown();
  // Bodies that are stuck and subscribers that were cut off may end by themselves, later.
  for (int i = 0; i < kMostWaitsLeft && AdvanceToNext(); ++i) {
  }
  if (inside_->Empty()) return;
  std::fprintf(stderr, "taskvisor: a simulation ends with bodies that never will, and leaks: %s\n",
               std::string(internal::ToStd(status.message())).c_str());
}

TaskWaiter Simulation::Add(TaskSpec spec) {
  TaskWaiter waiter = spec.Watch();
  Admit(std::move(spec));
  return waiter;
}

void Simulation::Admit(TaskSpec spec) {
  const Inside::Alone alone(*inside_);
  const absl::StatusOr<TaskId> added = inside_->handle->Add(std::move(spec));
  if (!added.ok()) Refuse(added.status());
  // Some two events each: long before they fill the bus.
  if (++inside_->admitted % inside_->admits_at_once == 0) inside_->executor->CarryEvents();
}

const SupervisorHandle& Simulation::handle() const { return *inside_->handle; }
TimePoint Simulation::Now() const { return inside_->Now(); }
TimePoint Simulation::Start() const { return inside_->start; }
uint64_t Simulation::seed() const { return inside_->seed; }
const std::shared_ptr<Clock>& Simulation::clock() const { return inside_->clock; }

bool Simulation::RunReady() {
  const Inside::Alone alone(*inside_);
  return inside_->RunReady();
}

void Simulation::AdvanceTo(TimePoint to) {
  to = std::min(to, internal::kEndOfTime);
  const Inside::Alone alone(*inside_);
  FiberExecutor& executor = *inside_->executor;
  inside_->RunReady();
  for (auto next = executor.NextTime(); next.has_value() && *next <= to;
       next = executor.NextTime()) {
    executor.MoveTo(std::max(*next, inside_->Now()));
    inside_->RunReady();
  }
  executor.MoveTo(std::max(to, inside_->Now()));
}

void Simulation::AdvanceBy(Duration by) {
  AdvanceTo(internal::SaturatingAdd(Now(), std::max(by, Duration::zero())));
}

bool Simulation::AdvanceToNext() {
  const Inside::Alone alone(*inside_);
  FiberExecutor& executor = *inside_->executor;
  inside_->RunReady();
  // The timer thread may look ahead of time, or at what has been called off.
  const uint64_t before = executor.moves();
  while (executor.moves() == before) {
    const auto next = executor.NextTime();
    if (!next.has_value()) return false;
    executor.MoveTo(std::max(*next, inside_->Now()));
    inside_->RunReady();
  }
  return true;
}

bool Simulation::RunUntilIdle(Duration limit) {
  const Inside::Alone alone(*inside_);
  FiberExecutor& executor = *inside_->executor;
  const TimePoint until =
      std::min(internal::SaturatingAdd(inside_->Now(), limit), internal::kEndOfTime);
  const uint64_t most = executor.moves() + internal::Outside::kMostSteps;
  while (executor.moves() < most) {
    const bool quiet = inside_->RunReady();
    const auto next = executor.NextTime();
    if (quiet && (inside_->Empty() || !next.has_value())) return true;
    if (!next.has_value() && !quiet) continue;
    if (!next.has_value() || *next > until) {
      executor.MoveTo(until);
      return false;
    }
    executor.MoveTo(std::max(*next, inside_->Now()));
  }
  return false;
}

absl::Status Simulation::Shutdown() {
  const Inside::Alone alone(*inside_);
  const absl::Status status = inside_->handle->Shutdown();
  inside_->RunReady();  // its threads come to their end
  return status;
}

const std::vector<Event>& Simulation::events() const { return *inside_->events; }

std::string Simulation::EventLog() const {
  const WallTime start = inside_->clock->WallAt(inside_->start);
  std::string log;
  for (const Event& event : *inside_->events) {
    log.append("+").append(internal::ToText(event.at() - start)).append(" ");
    log.append(event.ToString()).append("\n");
  }
  return log;
}

}  // namespace taskvisor::testing
