#include "taskvisor/supervisor.h"

#include <exception>
#include <utility>

#include "supervisor/runtime.h"
#include "supervisor/status.h"
#include "supervisor/text.h"

namespace taskvisor {

absl::StatusOr<Supervisor> Supervisor::Create(SupervisorConfig config) {
  return internal::RuntimeAccess::Create(std::move(config), {});
}

Supervisor::Supervisor(Supervisor&& other) noexcept = default;

Supervisor& Supervisor::operator=(Supervisor&& other) noexcept {
  if (this == &other) return *this;
  if (runtime_ != nullptr) runtime_->Abandon();
  runtime_ = std::move(other.runtime_);
  return *this;
}

Supervisor::~Supervisor() {
  if (runtime_ != nullptr) runtime_->Abandon();
}

absl::Status Supervisor::Run(std::vector<TaskSpec> batch) {
  const auto runtime = runtime_;  // a body may destroy this supervisor meanwhile
  return runtime->Run(std::move(batch));
}

SupervisorHandle Supervisor::Serve() {
  runtime_->Start();
  return SupervisorHandle(runtime_);
}

const SupervisorConfig& Supervisor::config() const { return runtime_->config(); }

absl::Status Supervisor::Shutdown() {
  try {
    runtime_->Start();
  } catch (const std::exception& error) {
    return internal::StartFailed(internal::WhatOf(error));
  }
  return SupervisorHandle(runtime_).Shutdown();
}

void Supervisor::DumpRecent(int fd) const noexcept { runtime_->subscribers().DumpRecent(fd); }

std::optional<ShutdownTrigger> Supervisor::shutdown_trigger() const {
  return runtime_->shutdown().trigger();
}

namespace {

absl::StatusOr<TaskId> AddOne(internal::Runtime& runtime, TaskSpec& spec, bool wait) {
  auto added = internal::OrOutOfMemory([&]() -> absl::StatusOr<TaskId> {
    TaskId id;
    if (absl::Status status = runtime.Add({&spec, 1}, &id, wait); !status.ok()) return status;
    return id;
  });
  // Its waiters are told now. A parameter lives to the end of the caller's whole expression, which
  // may wait for them.
  if (!added.ok()) const TaskSpec refused = std::move(spec);
  return added;
}

absl::StatusOr<WatchedTask> AddWatched(internal::Runtime& runtime, TaskSpec& spec, bool wait) {
  return internal::OrOutOfMemory([&]() -> absl::StatusOr<WatchedTask> {
    TaskWaiter waiter = spec.Watch();
    const absl::StatusOr<TaskId> id = AddOne(runtime, spec, wait);
    if (!id.ok()) return id.status();
    return WatchedTask{*id, std::move(waiter)};
  });
}

}  // namespace

absl::StatusOr<TaskId> SupervisorHandle::Add(TaskSpec spec) const {
  return AddOne(*runtime_, spec, /*wait=*/true);
}

absl::StatusOr<TaskId> SupervisorHandle::TryAdd(TaskSpec spec) const {
  return AddOne(*runtime_, spec, /*wait=*/false);
}

absl::StatusOr<WatchedTask> SupervisorHandle::AddAndWatch(TaskSpec spec) const {
  return AddWatched(*runtime_, spec, /*wait=*/true);
}

absl::StatusOr<WatchedTask> SupervisorHandle::TryAddAndWatch(TaskSpec spec) const {
  return AddWatched(*runtime_, spec, /*wait=*/false);
}

absl::StatusOr<std::vector<TaskId>> SupervisorHandle::AddBatch(std::vector<TaskSpec> specs) const {
  auto added = internal::OrOutOfMemory([&]() -> absl::StatusOr<std::vector<TaskId>> {
    std::vector<TaskId> ids(specs.size());
    absl::Status status = runtime_->Add(specs, ids.data(), /*wait=*/false);
    if (!status.ok()) return status;
    return ids;
  });
  if (!added.ok()) specs.clear();  // as in AddOne
  return added;
}

absl::StatusOr<bool> SupervisorHandle::Remove(TaskId id) const { return runtime_->Remove(id); }

absl::StatusOr<bool> SupervisorHandle::RemoveByName(std::string_view name) const {
  return runtime_->Remove(name);
}

absl::StatusOr<bool> SupervisorHandle::Cancel(TaskId id) const {
  return runtime_->Cancel(id, std::nullopt);
}

absl::StatusOr<bool> SupervisorHandle::CancelByName(std::string_view name) const {
  return runtime_->Cancel(name, std::nullopt);
}

absl::StatusOr<bool> SupervisorHandle::CancelWithTimeout(TaskId id, Duration limit) const {
  return runtime_->Cancel(id, limit);
}

absl::StatusOr<bool> SupervisorHandle::CancelByNameWithTimeout(std::string_view name,
                                                               Duration limit) const {
  return runtime_->Cancel(name, limit);
}

std::vector<TaskInfo> SupervisorHandle::List() const { return runtime_->List(); }

std::vector<std::string> SupervisorHandle::AliveSnapshot() const {
  return runtime_->subscribers().AliveSnapshot();
}

bool SupervisorHandle::IsAlive(std::string_view name) const {
  return runtime_->subscribers().IsAlive(name);
}

void SupervisorHandle::DumpRecent(int fd) const noexcept { runtime_->subscribers().DumpRecent(fd); }

SupervisorStats SupervisorHandle::Stats() const {
  auto& bus = runtime_->subscribers().bus();
  bus.CatchUp();
  return {.tasks = runtime_->registry().gate().members(),
          .events_published = bus.fanned_out(),
          .events_lost = bus.lost(),
          .permits = runtime_->actor().PermitBalance(),
          .workers = runtime_->pool().workers()};
}

std::vector<SubscriberStats> SupervisorHandle::SubscriberStats() const {
  return runtime_->subscribers().Stats();
}

absl::Status SupervisorHandle::Shutdown() const { return runtime_->ShutDownAndWait(); }

void SupervisorHandle::RequestShutdown() const {
  runtime_->shutdown().Request({ShutdownTrigger::Kind::kExplicit}, runtime_->config().grace);
}

std::optional<ShutdownTrigger> SupervisorHandle::shutdown_trigger() const {
  return runtime_->shutdown().trigger();
}

}  // namespace taskvisor
