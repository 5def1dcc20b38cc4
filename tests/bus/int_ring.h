#ifndef TASKVISOR_TESTS_BUS_INT_RING_H_
#define TASKVISOR_TESTS_BUS_INT_RING_H_

#include "bus/ring.h"

namespace taskvisor::internal {

using IntRing = Ring<int>;

inline IntRing::Published Put(IntRing& ring, int value) {
  return ring.Publish([=](int& slot) { slot = value; });
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_TESTS_BUS_INT_RING_H_
