#include "tests/progress/world.h"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

namespace taskvisor::testing {

std::string_view NameOf(Kind kind) {
  constexpr std::string_view kNames[] = {"Add",          "TryAdd",
                                         "Remove",       "Remove of a running task",
                                         "publish",      "making ready",
                                         "permit",       "timer arm",
                                         "timer cancel", "end of an attempt",
                                         "end of a task"};
  static_assert(std::size(kNames) == kKinds);
  return kNames[static_cast<size_t>(kind)];
}

World::World(Options options) : permits_(options.permits) {
  SupervisorConfig config;
  config.workers = options.workers;
  config.max_concurrent = options.max_concurrent;
  config.max_tasks = 4096;
  config.grace = std::chrono::seconds(10);
  auto created = Supervisor::Create(std::move(config));
  EXPECT_TRUE(created.ok()) << created.status();
  supervisor_ = std::make_unique<Supervisor>(std::move(created).value());
  handle_ = std::make_unique<SupervisorHandle>(supervisor_->Serve());
}

World::~World() { EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus()); }

TaskBody World::Body(uint32_t attempts) {
  return [this, attempts](TaskContext& context) -> TaskResult {
    Freezer::Leave();  // what went on here before this body
    const bool last = context.attempt() >= attempts;
    if (context.attempt() > 1) Count(Kind::kRepeat);
    freezer(last ? Kind::kEnd : Kind::kRepeat).Enter();
    return last ? Cancelled() : Ok();
  };
}

}  // namespace taskvisor::testing
