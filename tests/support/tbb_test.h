#ifndef TASKVISOR_TESTS_SUPPORT_TBB_TEST_H_
#define TASKVISOR_TESTS_SUPPORT_TBB_TEST_H_

#include <gtest/gtest.h>

#include "tests/support/sanitizers.h"

namespace taskvisor::testing {

// For tests whose bodies use TBB themselves. ThreadSanitizer cannot judge them: libtbb is
// not instrumented, so it does not see how a stolen step comes to its thread, and reports
// TBB's own headers.
class TbbTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kThreadSanitizer) GTEST_SKIP() << "the hand-over inside libtbb is invisible to it";
  }
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_TBB_TEST_H_
