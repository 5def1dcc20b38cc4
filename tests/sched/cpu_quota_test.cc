#include "sched/cpu_quota.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/treesum/temp_tree.h"

namespace taskvisor::internal {
namespace {

// A root with the control groups of a process, as the kernel shows them.
class CpuQuota : public ::testing::Test {
 protected:
  void ProcessIsIn(const std::string& lines) { tree_.Write("proc/self/cgroup", lines); }
  void V2(const std::string& group, const std::string& max, const std::string& mount = "") {
    tree_.Write("sys/fs/cgroup" + mount + group + "/cpu.max", max + "\n");
  }
  void V1(const std::string& group, const std::string& quota, const std::string& period,
          const std::string& mount = "/cpu") {
    tree_.Write("sys/fs/cgroup" + mount + group + "/cpu.cfs_quota_us", quota + "\n");
    tree_.Write("sys/fs/cgroup" + mount + group + "/cpu.cfs_period_us", period + "\n");
  }
  [[nodiscard]] std::optional<size_t> Cores() const { return CoresByQuota(tree_.root()); }

  treesum::TempTree tree_;
};

TEST_F(CpuQuota, NothingToReadIsNoLimit) {
  EXPECT_EQ(Cores(), std::nullopt);
  ProcessIsIn("0::/app\n");
  EXPECT_EQ(Cores(), std::nullopt);
}

TEST_F(CpuQuota, Version2IsRoundedUpAndIsAtLeastOne) {
  ProcessIsIn("0::/app\n");
  V2("/app", "max 100000");
  EXPECT_EQ(Cores(), std::nullopt);
  V2("/app", "200000 100000");
  EXPECT_EQ(Cores(), 2u);
  V2("/app", "200001 100000");
  EXPECT_EQ(Cores(), 3u);
  V2("/app", "1000 100000");
  EXPECT_EQ(Cores(), 1u);
}

TEST_F(CpuQuota, TheLeastOfTheGroupsAboveCounts) {
  ProcessIsIn("0::/slice/pod/app\n");
  V2("/slice/pod/app", "max 100000");
  V2("/slice/pod", "150000 50000");
  V2("/slice", "800000 100000");
  EXPECT_EQ(Cores(), 3u);
  V2("/slice", "50000 100000");
  EXPECT_EQ(Cores(), 1u);
}

TEST_F(CpuQuota, InAContainerTheRootOfTheMountIsTheOwnGroup) {
  ProcessIsIn("0::/\n");
  V2("", "400000 100000");
  EXPECT_EQ(Cores(), 4u);
  ProcessIsIn("0::/docker/0123456789abcdef\n");  // the host's, which is not mounted here
  EXPECT_EQ(Cores(), 4u);
  ProcessIsIn("0::/../outside\n");
  EXPECT_EQ(Cores(), 4u);
}

TEST_F(CpuQuota, Version1IsQuotaByPeriodAndMinusOneIsNone) {
  ProcessIsIn("5:memory:/x\n4:cpu,cpuacct:/app\n0::/\n");
  V1("/app", "-1", "100000", "/cpu,cpuacct");
  EXPECT_EQ(Cores(), std::nullopt);
  V1("/app", "250000", "100000", "/cpu,cpuacct");
  EXPECT_EQ(Cores(), 3u);
  V1("", "100000", "100000", "/cpu,cpuacct");
  EXPECT_EQ(Cores(), 1u);
}

TEST_F(CpuQuota, OfVersion1OnlyTheCpuControllerCounts) {
  ProcessIsIn("2:cpuacct,cpuset:/other\n1:cpu:/app\n");
  V1("/other", "100000", "100000");
  V1("/app", "200000", "100000");
  EXPECT_EQ(Cores(), 2u);
}

TEST_F(CpuQuota, BothVersionsAtOnceAreHeeded) {
  ProcessIsIn("1:cpu:/app\n0::/app\n");
  V1("/app", "300000", "100000");
  V2("/app", "200000 100000", "/unified");
  EXPECT_EQ(Cores(), 2u);
}

TEST_F(CpuQuota, NonsenseIsNoLimit) {
  ProcessIsIn("nonsense\n\n0:\n0::relative\n0::/app\n1:cpu:\n");
  for (const char* text : {"", "0 100000", "-5 100000", "5", "100000 0", "many 100000"}) {
    V2("/app", text);
    EXPECT_EQ(Cores(), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace taskvisor::internal
