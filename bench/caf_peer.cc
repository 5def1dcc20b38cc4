#include "bench/caf_peer.h"

#include <caf/all.hpp>
#include <cstdint>
#include <memory>

#include "bench/tally.h"

namespace taskvisor::bench {

struct CafSystem::State {
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor self{system};
};

CafSystem::CafSystem() : state_(std::make_unique<State>()) {}
CafSystem::~CafSystem() = default;

void CafSystem::Run(uint64_t tasks) {
  caf::scoped_actor& self = state_->self;
  for (uint64_t i = 0; i < tasks; ++i) {
    // Without a behaviour it ends when its function returns.
    self->spawn<caf::monitored>([](caf::event_based_actor*) { Tally::Add(); });
  }
  uint64_t down = 0;
  self->receive_for(down, tasks)([](const caf::down_msg&) {});
}

}  // namespace taskvisor::bench
