#include "tools/treesum/chaos.h"

#include <cerrno>
#include <chrono>
#include <stdexcept>

namespace taskvisor::treesum {
namespace {

// Written out, because std::hash and the standard distributions differ between libraries.
// SplitMix64's finalizer (Steele, Lea, Flood 2014).
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// FNV-1a.
uint64_t HashBytes(std::string_view bytes) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return hash;
}

// Uniform in [0, 1), with 53 bits.
double Uniform(uint64_t x) { return static_cast<double>(x >> 11) * 0x1p-53; }

Fault Pick(double u) {
  if (u < 0.4) return Fault::kFailure;
  if (u < 0.7) return Fault::kException;
  if (u < 0.9) return Fault::kSlow;
  return Fault::kHang;
}

}  // namespace

Fault Chaos::Decide(std::string_view path, uint32_t attempt) const {
  const uint64_t draw = Mix(Mix(Mix(seed_) ^ HashBytes(path)) + attempt);
  if (Uniform(draw) >= probability_) return Fault::kNone;
  return Pick(Uniform(Mix(draw + 1)));
}

std::optional<TaskResult> Strike(Fault fault, TaskContext& context) {
  switch (fault) {
    case Fault::kFailure:
      return Fail("chaos: injected failure").WithExitCode(EIO);
    case Fault::kException:
      throw std::runtime_error("chaos: injected exception");
    case Fault::kHang:
      while (context.SleepFor(std::chrono::hours(1))) {
      }
      if (context.Cause() == CancelCause::kTimeout) return TimedOut("chaos: injected hang");
      return Cancelled();
    case Fault::kNone:
    case Fault::kSlow:
      break;
  }
  return std::nullopt;
}

}  // namespace taskvisor::treesum
