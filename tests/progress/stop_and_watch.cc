#include "tests/progress/stop_and_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/support/gate.h"

namespace taskvisor::testing {
namespace {

constexpr int kCrowd = 2;  // threads
constexpr std::chrono::milliseconds kLook{1};

std::chrono::steady_clock::time_point After(std::chrono::steady_clock::duration time) {
  return std::chrono::steady_clock::now() + time;
}

}  // namespace

StopAndWatch::StopAndWatch(World& world)
    : world_(world), work_(MakeOperation(Kind::kTryAdd, world, "controller")) {}

void StopAndWatch::Gather() {
  if (crowd_ == nullptr) crowd_ = std::make_unique<Crowd>(world_, kCrowd);
}

void StopAndWatch::Dismiss() { crowd_.reset(); }

bool StopAndWatch::Stop(std::vector<Kind>& kinds, Freezer::Where where) {
  // Workers last: the other threads may need them to get where they are stopped.
  for (bool workers : {false, true}) {
    for (Kind kind : kinds) {
      if (IsOfWorkers(kind) != workers) continue;
      world_.freezer(kind).Aim(where);
      where.seed += 0x9e3779b97f4a7c15u;
    }
    for (Kind kind : kinds) {
      if (IsOfWorkers(kind) == workers && !AwaitStop(kind)) return false;
    }
  }
  std::erase_if(kinds, [this](Kind kind) {
    Freezer& freezer = world_.freezer(kind);
    if (freezer.state() != Freezer::kMissed) return false;
    freezer.Reset();
    return true;
  });
  return true;
}

bool StopAndWatch::AwaitStop(Kind kind) {
  const auto deadline = After(kPatience);
  while (!world_.freezer(kind).AwaitFrozen(std::min(deadline, After(kLook)))) {
    if (std::chrono::steady_clock::now() >= deadline) {
      ADD_FAILURE() << NameOf(kind) << ": could not be stopped";
      return false;
    }
    if (!IsOfWorkers(kind) || crowd_ != nullptr) continue;
    work_->Prepare();
    work_->Do();
  }
  return true;
}

void StopAndWatch::Watch(const std::vector<Kind>& frozen) {
  const Crowd::Verdict verdict = crowd_->AwaitProgress(kOperations, kLimit);
  slowest_ = std::max(slowest_, verdict.took);
  freezes_ += frozen.size();
  if (verdict.passed) return;
  ADD_FAILURE() << "held up; done of " << kOperations << ": " << verdict.missing;
  FindCulprit(frozen);
}

void StopAndWatch::FindCulprit(const std::vector<Kind>& frozen) {
  for (Kind kind : frozen) {
    const std::string place = world_.freezer(kind).Place();
    Thaw({kind});
    const bool cured = crowd_->AwaitProgress(kOperations / 10, kLimit).passed;
    std::printf("%s by thawing '%s', which stood at\n  %s\n", cured ? "cured" : "not cured",
                std::string(NameOf(kind)).c_str(), place.c_str());
    if (cured) return;
  }
}

void StopAndWatch::Thaw(const std::vector<Kind>& kinds) {
  for (Kind kind : kinds) {
    Freezer& freezer = world_.freezer(kind);
    if (freezer.state() != Freezer::kFrozen) continue;
    freezer.Thaw();
    EXPECT_TRUE(freezer.AwaitIdle(After(kPatience)));
  }
}

void StopAndWatch::Report() const {
  std::printf("%llu times a thread was stopped; the others took %.0f ms at most for %llu of each\n",
              static_cast<unsigned long long>(freezes_),
              std::chrono::duration<double, std::milli>(slowest_).count(),
              static_cast<unsigned long long>(kOperations));
}

}  // namespace taskvisor::testing
