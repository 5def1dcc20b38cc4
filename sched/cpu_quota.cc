#include "sched/cpu_quota.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>

namespace taskvisor::internal {
namespace {

using Cores = std::optional<size_t>;

Cores Least(Cores a, Cores b) {
  if (!a.has_value() || !b.has_value()) return a.has_value() ? a : b;
  return std::min(*a, *b);
}

Cores RoundedUp(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<size_t>((quota - 1) / period + 1);
}

// "max", as anything that is no number, is no limit.
Cores InGroupV2(const std::string& group) {
  std::ifstream file(group + "/cpu.max");
  int64_t quota = 0;
  int64_t period = 0;
  return file >> quota >> period ? RoundedUp(quota, period) : std::nullopt;
}

Cores InGroupV1(const std::string& group) {
  std::ifstream quotas(group + "/cpu.cfs_quota_us");
  std::ifstream periods(group + "/cpu.cfs_period_us");
  int64_t quota = 0;
  int64_t period = 0;
  return quotas >> quota && periods >> period ? RoundedUp(quota, period) : std::nullopt;
}

// In the group `path` below `mount`, and in all above it.
template <class InGroup>
Cores Upwards(const std::string& mount, std::string path, InGroup in_group) {
  if (path.find("..") != std::string::npos) path.clear();  // outside of this namespace
  Cores least = in_group(mount);
  for (; path.size() > 1; path.erase(path.rfind('/'))) {
    least = Least(least, in_group(mount + path));
  }
  return least;
}

bool HasCpu(const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string name; std::getline(list, name, ',');) {
    if (name == "cpu") return true;
  }
  return false;
}

}  // namespace

std::optional<size_t> CoresByQuota(const std::string& root) {
  const std::string groups = root + "/sys/fs/cgroup";
  std::ifstream own(root + "/proc/self/cgroup");
  Cores least;
  for (std::string line; std::getline(own, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || line[second + 1] != '/') continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      for (const char* mount : {"", "/unified"}) {
        least = Least(least, Upwards(groups + mount, path, InGroupV2));
      }
    } else if (HasCpu(controllers)) {
      for (const char* mount : {"/cpu", "/cpu,cpuacct"}) {
        least = Least(least, Upwards(groups + mount, path, InGroupV1));
      }
    }
  }
  return least;
}

}  // namespace taskvisor::internal
