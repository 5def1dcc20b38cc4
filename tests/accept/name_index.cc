// The name index stays flat: to add and remove a named task costs the same among a million
// names as among a thousand.
//
//   tasks  through the public face: Add of a task with a new name and Remove of it, with the
//          names of parked tasks around; workers begin some of them in between
//   index  NameIndex alone, over entries in a slab: a new name in and out. What grows here is
//          the way to memory: among a million names most links that are met are in no cache
//
// Each size is measured several times, the sizes in turn; medians. Twice: while the index grows
// with these names, which takes a cell to its place when a name needs it first (`growing`), and
// when so many names have come and gone that it has settled. Fails if settled `tasks` cost more
// than 1.5 times as much at the largest size as at a thousand, or growing ones more than 2 reads
// of memory above that: so many lines a new name must bring to the cache which a thousand names
// keep there, its place and its neighbour. What such a read takes is measured behind that, `read`:
// lines at random of 64 MiB, as much as a million names take. `index` alone is reported.
//
// Usage: accept_name_index; TASKVISOR_ACCEPT_TASKS: the largest size.

#include "supervisor/name_index.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sched/slab.h"
#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"

using std::chrono::steady_clock;
using taskvisor::internal::NameIndex;
using taskvisor::internal::NameLink;
using taskvisor::internal::Slab;

namespace {

constexpr uint64_t kMaxTasks = uint64_t{1} << 20;  // as SupervisorConfig has it
constexpr int kRounds = 7;
constexpr uint64_t kOps = 20'000;  // a round
constexpr uint64_t kSettled = 6;   // times as many names as there are have come and gone

std::string NameOf(uint64_t n) { return "job/" + std::to_string(n); }

double NsPerOp(steady_clock::time_point start, uint64_t ops) {
  return taskvisor::testing::SecondsSince(start) * 1e9 / static_cast<double>(ops);
}

// NameIndex over names in a slab, with `names` names in it.
class BareIndex {
 public:
  explicit BareIndex(uint64_t names) {
    for (uint64_t i = 0; i < names; ++i) Insert(NameOf(next_++));
  }

  double Measure() {
    std::vector<std::string> names;
    for (uint64_t i = 0; i < kOps; ++i) names.push_back(NameOf(next_++));
    const auto start = steady_clock::now();
    for (const std::string& name : names) {
      const uint32_t slot = Insert(name);
      index_.Remove(slot);
      slab_.At(slot).name.Set({});
      slab_.Free(slot);
    }
    return NsPerOp(start, kOps);
  }

 private:
  static NameLink& LinkOf(void* slots, uint32_t slot) {
    return static_cast<Slab<NameLink>*>(slots)->At(slot);
  }
  uint32_t Insert(const std::string& name) {
    const uint32_t slot = *slab_.Allocate();
    slab_.At(slot).name.Set(name);
    index_.Prepare(slot, name);
    if (!index_.Insert(slot, name)) std::abort();
    return slot;
  }

  uint64_t next_ = 0;
  Slab<NameLink> slab_{kMaxTasks + 64};
  NameIndex index_{kMaxTasks, &LinkOf, &slab_};
};

// A supervisor with `names` named tasks that are parked for a day.
class ParkedTasks {
 public:
  explicit ParkedTasks(uint64_t names) {
    for (uint64_t i = 0; i < names; ++i) Add();
    while (!AllParked()) std::this_thread::yield();
  }

  // Not left to the destructor: it would not wait for a million.
  ~ParkedTasks() { static_cast<void>(handle_.Shutdown()); }

  double Measure() {
    std::vector<taskvisor::TaskSpec> specs;
    for (uint64_t i = 0; i < kOps; ++i) specs.push_back(Spec());
    const auto start = steady_clock::now();
    for (taskvisor::TaskSpec& spec : specs) {
      const auto id = handle_.Add(std::move(spec));
      if (!id.ok() || !handle_.Remove(*id).value_or(false)) std::abort();
    }
    const double ns = NsPerOp(start, kOps);
    while (!AllParked()) std::this_thread::yield();
    return ns;
  }

 private:
  taskvisor::TaskSpec Spec() {
    return taskvisor::TaskSpec::Periodic(NameOf(next_++), std::chrono::hours(24), [] {});
  }
  void Add() {
    if (!handle_.Add(Spec()).ok()) std::abort();
    ++parked_;
  }
  bool AllParked() {
    if (handle_.Stats().tasks != parked_) return false;
    const auto tasks = handle_.List();
    return std::all_of(tasks.begin(), tasks.end(), [](const taskvisor::TaskInfo& task) {
      return task.phase == taskvisor::TaskPhase::kDelaying;
    });
  }

  uint64_t next_ = 0;
  uint64_t parked_ = 0;
  taskvisor::Supervisor supervisor_ =
      std::move(*taskvisor::Supervisor::Create({.max_tasks = kMaxTasks}));
  taskvisor::SupervisorHandle handle_ = supervisor_.Serve();
};

// Lines in a ring, each of which says which is next, in no order.
class RandomReads {
 public:
  RandomReads() {
    std::vector<uint32_t> order(kLines);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::minstd_rand(1));
    for (size_t i = 0; i < kLines; ++i) lines_[order[i]].next = order[(i + 1) % kLines];
  }
  double Measure() {
    const auto start = steady_clock::now();
    for (uint64_t i = 0; i < kReads; ++i) at_ = lines_[at_].next;
    const double ns = NsPerOp(start, kReads);
    if (at_ >= kLines) std::abort();  // it is used
    return ns;
  }

 private:
  static constexpr size_t kLines = (size_t{64} << 20) / 64;
  static constexpr uint64_t kReads = 200'000;
  struct alignas(64) Line {
    uint32_t next = 0;
  };
  std::vector<Line> lines_{kLines};
  uint32_t at_ = 0;
};

template <class Subject>
using Subjects = std::vector<std::unique_ptr<Subject>>;

// Medians by size.
template <class Subject>
std::vector<double> Medians(const Subjects<Subject>& subjects) {
  std::vector<std::array<double, kRounds>> rounds(subjects.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < subjects.size(); ++i) {
      rounds[i][static_cast<size_t>(round)] = subjects[i]->Measure();
    }
  }
  std::vector<double> medians;
  for (auto& of_size : rounds) {
    std::sort(of_size.begin(), of_size.end());
    medians.push_back(of_size[kRounds / 2]);
  }
  return medians;
}

struct Figures {
  std::vector<double> growing;
  std::vector<double> settled;
};
template <class Subject>
Figures MeasureAll(const std::vector<uint64_t>& sizes) {
  Subjects<Subject> subjects;
  for (const uint64_t size : sizes) subjects.push_back(std::make_unique<Subject>(size));
  Figures figures;
  figures.growing = Medians(subjects);
  for (size_t i = 0; i < sizes.size(); ++i) {
    for (uint64_t names = 0; names < kSettled * sizes[i]; names += kOps) subjects[i]->Measure();
  }
  figures.settled = Medians(subjects);
  return figures;
}

void Print(const char* what, const std::vector<uint64_t>& sizes, const std::vector<double>& ns) {
  std::printf(R"("%s_ns":{)", what);
  for (size_t i = 0; i < sizes.size(); ++i) {
    std::printf(R"(%s"%lu":%.0f)", i == 0 ? "" : ",", sizes[i], ns[i]);
  }
  std::printf(R"(},"%s_ratio":%.2f)", what, ns.back() / ns.front());
}

}  // namespace

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(
      argc, argv, "A named task costs among a million names what it costs among a thousand.");
  const uint64_t largest = taskvisor::testing::TasksOr(1'000'000);
  std::vector<uint64_t> sizes;
  for (uint64_t size = 1000; size <= largest; size *= 10) sizes.push_back(size);

  const Figures index = MeasureAll<BareIndex>(sizes);
  const Figures tasks = MeasureAll<ParkedTasks>(sizes);
  constexpr double kFlat = 1.5;
  constexpr double kReads = 2;
  Subjects<RandomReads> memory;
  memory.push_back(std::make_unique<RandomReads>());
  const double read = Medians(memory).front();
  const double reads = (tasks.growing.back() - tasks.growing.front()) / read;
  const bool good = tasks.settled.back() <= kFlat * tasks.settled.front() && reads <= kReads;
  std::printf(R"({"check":"name_index","good":%s,)", taskvisor::testing::Json(good));
  Print("index_growing", sizes, index.growing);
  std::printf(",");
  Print("index", sizes, index.settled);
  std::printf(",");
  Print("tasks_growing", sizes, tasks.growing);
  std::printf(R"(,"read_ns":%.0f,"tasks_growing_reads":%.2f,)", read, reads);
  Print("tasks", sizes, tasks.settled);
  std::printf("}\n");
  return good ? 0 : 1;
}
