#include <gtest/gtest.h>

#include <string>

#include "sched/cores.h"
#include "taskvisor/supervisor.h"
#include "tests/support/sanitizers.h"

namespace taskvisor {
namespace {

using internal::CoreTypes;
using internal::NumaNodes;

std::string WhyRefused(const Placement& placement) {
  const auto supervisor = Supervisor::Create({.placement = placement});
  if (supervisor.ok()) return "accepted";
  EXPECT_EQ(supervisor.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorLabel(supervisor.status()), "config_invalid");
  return std::string(supervisor.status().message());
}

void ExpectNames(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << " does not name " << part;
}

// oneTBB opens its tbbbind library in a way that sanitizers do not allow.
class Placed : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::kThreadSanitizer || testing::kAddressSanitizer) GTEST_SKIP() << "dlopen";
  }
};

TEST_F(Placed, AnUnknownNodeOrTypeIsRefusedWithTheFieldAndWhatThereIs) {
  const std::string node = WhyRefused({.numa_node = 4711});
  ExpectNames(node, "placement.numa_node");
  const std::string type = WhyRefused({.core_type = -1});
  ExpectNames(type, "placement.core_type");
  if (NumaNodes().empty()) {
    ExpectNames(node, "tbbbind");
    ExpectNames(type, "tbbbind");
  } else {
    ExpectNames(node, "there is no 4711; there is " + std::to_string(NumaNodes().front()));
    ExpectNames(type, "there is no -1; there is " + std::to_string(CoreTypes().front()));
  }
}

TEST_F(Placed, AtLeastOneThreadRunsOnACore) {
  ExpectNames(WhyRefused({.max_threads_per_core = 0}), "placement.max_threads_per_core");
  ExpectNames(WhyRefused({.max_threads_per_core = -3}), "at least 1");
}

TEST(Placement, ANumberThatIsNoPriorityIsRefused) {
  ExpectNames(WhyRefused({.priority = static_cast<Priority>(3)}), "placement.priority");
}

TEST_F(Placed, WhatIsThereIsAcceptedAndRunsTasks) {
  Placement placement{.priority = Priority::kLow};
  if (!NumaNodes().empty()) {
    placement.numa_node = NumaNodes().front();
    placement.core_type = CoreTypes().front();
    placement.max_threads_per_core = 1;
  }
  auto supervisor = Supervisor::Create({.placement = placement});
  ASSERT_TRUE(supervisor.ok()) << supervisor.status();
  const SupervisorHandle handle = supervisor->Serve();
  EXPECT_EQ(handle.Stats().workers, internal::UsableCores(placement));
  const auto task = handle.AddAndWatch(TaskSpec::Once([] {}));
  ASSERT_TRUE(task.ok());
  EXPECT_TRUE(task->waiter.Wait()->IsSuccess());
  EXPECT_TRUE(handle.Shutdown().ok());
}

}  // namespace
}  // namespace taskvisor
