#include "sched/crew.h"

#include <exception>
#include <future>
#include <memory>
#include <utility>

namespace taskvisor::internal {

Crew::Crew() { sem_init(&calls_, /*pshared=*/0, /*value=*/0); }

Crew::~Crew() {
  Stop();
  sem_destroy(&calls_);
}

void Crew::Start(size_t size, const Life& life) {
  if (!threads_.empty()) return;
  over_.store(false, std::memory_order_relaxed);  // handed over with the threads
  std::promise<bool> complete;
  const std::shared_future<bool> works = complete.get_future().share();
  std::vector<std::future<void>> there;
  threads_.reserve(size);
  there.reserve(size);
  try {
    while (threads_.size() < size) {
      const size_t number = threads_.size();
      const auto own = std::make_shared<std::promise<void>>();
      there.push_back(own->get_future());
      threads_.emplace_back(/*executor=*/nullptr, "tv-worker", [this, number, own, works, life] {
        bool first = true;
        try {
          life(number, [&] {
            if (std::exchange(first, false)) own->set_value();
            return works.get() && AwaitCall();
          });
        } catch (...) {
          if (!first) throw;
          own->set_exception(std::current_exception());
        }
      });
    }
    for (std::future<void>& one : there) one.get();
  } catch (...) {
    complete.set_value(false);
    Join();
    throw;
  }
  complete.set_value(true);
}

bool Crew::AwaitCall() {
  while (sem_wait(&calls_) != 0) {  // only a signal has come
  }
  return !over_.load(std::memory_order_acquire);  // pairs with the release in Stop
}

void Crew::Stop() {
  over_.store(true, std::memory_order_release);
  for (size_t i = 0; i < threads_.size(); ++i) Call();
  Join();
}

void Crew::Join() {
  for (Thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace taskvisor::internal
