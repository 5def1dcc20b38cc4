// Tasks that return values: all of several, the first of several, and what a failure looks like.

#include <iostream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "taskvisor/supervisor.h"
#include "taskvisor/when.h"

using namespace std::chrono_literals;
using taskvisor::TaskContext;
using taskvisor::TaskSpec;

int main() {
  auto supervisor = taskvisor::Supervisor::Create();
  const taskvisor::SupervisorHandle handle = supervisor->Serve();

  // The waiter of a body that returns a T is a Waiter<T>. All of them:
  std::vector<taskvisor::Waiter<long>> parts;
  for (long part = 0; part < 4; ++part) {
    auto sum = [part] {
      std::vector<long> numbers(1000);
      std::iota(numbers.begin(), numbers.end(), part * 1000);
      return std::accumulate(numbers.begin(), numbers.end(), 0L);
    };
    parts.push_back(handle.AddAndWatch(TaskSpec::Restartable(sum).WithTimeout(5s))->waiter);
  }
  long total = 0;
  for (const absl::StatusOr<long>& part : taskvisor::WhenAll(parts)) total += part.value();
  std::cout << "total: " << total << "\n";

  // The first of several; the others are cancelled, and have ended when WhenAny returns.
  std::vector<taskvisor::Waiter<std::string>> replicas;
  for (const auto delay : {1h, 0h, 2h}) {
    auto ask = [delay](TaskContext& context) -> absl::StatusOr<std::string> {
      if (delay > 0h && !context.SleepFor(delay)) return absl::CancelledError();
      return "the fast one";
    };
    replicas.push_back(handle.AddAndWatch(TaskSpec::Once(ask))->waiter);
  }
  const absl::StatusOr<size_t> first = taskvisor::WhenAny(handle, replicas);
  std::cout << "first: " << replicas[first.value()].Get().value() << "\n";

  // A failure: as a status, or as the exception that the body threw.
  auto broken = handle.AddAndWatch(
      TaskSpec::Once("broken", []() -> int { throw std::out_of_range("row 7 of 5"); }));
  std::cout << "status: " << broken->waiter.Get().status().message() << "\n";
  try {
    std::cout << broken->waiter.GetOrThrow();
  } catch (const std::out_of_range& error) {
    std::cout << "thrown: " << error.what() << "\n";
  }
  return handle.Shutdown().ok() ? 0 : 1;
}
