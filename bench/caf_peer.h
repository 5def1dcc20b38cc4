#ifndef TASKVISOR_BENCH_CAF_PEER_H_
#define TASKVISOR_BENCH_CAF_PEER_H_

#include <cstdint>
#include <memory>

namespace taskvisor::bench {

// The C++ Actor Framework, behind a header of our own: its headers are heavy. As many
// workers as cores; an actor for each task, monitored by the caller.
class CafSystem {
 public:
  CafSystem();
  ~CafSystem();

  void Run(uint64_t tasks);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_CAF_PEER_H_
