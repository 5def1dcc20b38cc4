#ifndef TASKVISOR_TESTS_SUPPORT_COLLIDING_NAMES_H_
#define TASKVISOR_TESTS_SUPPORT_COLLIDING_NAMES_H_

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace taskvisor::testing {

// Names with one and the same hash in the name index, under libstdc++: their stems, of 16 bytes,
// have the same std::hash<std::string_view>, and their last bytes are the same. That hash takes 8
// bytes at a time through steps that can be undone, so a second half can be computed that makes up
// for any first half. `n` chooses the name.
inline std::string CollidingName(uint64_t n) {
  constexpr uint64_t kMul = 0xc6a4a7935bd1e995u;
  constexpr uint64_t kSeed = 0xc70f6907u;                     // std::hash's
  const auto mix = [](uint64_t v) { return v ^ (v >> 47); };  // undoes itself
  uint64_t inverse = kMul;  // of kMul, mod 2^64, by Newton's steps
  for (int i = 0; i < 6; ++i) inverse *= 2 - kMul * inverse;
  const auto state_after = [&](uint64_t block) {
    return ((kSeed ^ (16 * kMul)) ^ (mix(block * kMul) * kMul)) * kMul;
  };
  // state ^ mixed is the same for all names.
  const uint64_t mixed = state_after(n) ^ 0x746173'6b7669'736fu;
  const uint64_t halves[2] = {n, mix(mixed * inverse) * inverse};
  std::string name(sizeof(halves), '\0');
  std::memcpy(name.data(), halves, sizeof(halves));
  return name + '.';
}

// False with another standard library: the names then only differ.
inline bool NamesCollide() {
  const auto hash = [](const std::string& name) {
    return std::hash<std::string_view>()(std::string_view(name).substr(0, name.size() - 1));
  };
  return hash(CollidingName(1)) == hash(CollidingName(2));
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_COLLIDING_NAMES_H_
