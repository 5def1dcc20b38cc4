#ifndef TASKVISOR_TESTS_ASYNC_IN_FRAME_H_
#define TASKVISOR_TESTS_ASYNC_IN_FRAME_H_

#include <atomic>

namespace taskvisor::testing {

// In each frame of a test: how many frames there are, and have ended.
class InFrame {
 public:
  InFrame() { ++alive_; }
  InFrame(const InFrame&) = delete;
  InFrame& operator=(const InFrame&) = delete;
  ~InFrame() {
    --alive_;
    ++ended_;
  }

  static int alive() { return alive_; }
  static int ended() { return ended_; }
  static void Reset() { alive_ = ended_ = 0; }

 private:
  static inline std::atomic<int> alive_{0};
  static inline std::atomic<int> ended_{0};
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_ASYNC_IN_FRAME_H_
