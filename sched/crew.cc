#include "sched/crew.h"

#include <future>
#include <memory>
#include <utility>

namespace taskvisor::internal {

Crew::Crew() { sem_init(&calls_, /*pshared=*/0, /*value=*/0); }

Crew::~Crew() {
  Stop();
  sem_destroy(&calls_);
}

void Crew::Start(size_t size, const std::function<void()>& prepare, std::function<bool()> turn) {
  if (!threads_.empty()) return;
  turn_ = std::move(turn);
  std::promise<bool> works;  // false: the crew is not complete
  const std::shared_future<bool> all = works.get_future().share();
  std::vector<std::future<void>> prepared;
  threads_.reserve(size);
  prepared.reserve(size);
  try {
    while (threads_.size() < size) {
      const auto own = std::make_shared<std::packaged_task<void()>>(prepare);
      prepared.push_back(own->get_future());
      threads_.emplace_back(/*executor=*/nullptr, "tv-worker", [this, own, all] {
        (*own)();
        if (all.get()) Work();
      });
    }
    for (std::future<void>& one : prepared) one.get();
  } catch (...) {
    works.set_value(false);
    Join();
    throw;
  }
  works.set_value(true);
}

void Crew::Work() {
  do {
    while (sem_wait(&calls_) != 0) {  // only a signal has come
    }
  } while (turn_());
}

void Crew::Stop() {
  for (size_t i = 0; i < threads_.size(); ++i) Call();
  Join();
}

void Crew::Join() {
  for (Thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace taskvisor::internal
