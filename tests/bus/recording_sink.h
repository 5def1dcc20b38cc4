#ifndef TASKVISOR_TESTS_BUS_RECORDING_SINK_H_
#define TASKVISOR_TESTS_BUS_RECORDING_SINK_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "bus/subscription.h"
#include "tests/support/gate.h"

namespace taskvisor::internal {

// A record as Bus wants it.
struct TestRecord {
  uint64_t sequence = 0;
  int value = 0;
  uint64_t lost = 0;     // lag record: so many
  uint64_t refused = 0;  // refusal record: so many
  bool refused_closed = false;
};

// What a sink received; outlives it. Optionally holds every callback at a gate.
struct Received {
  void Note(const TestRecord& record) {
    thread.store(std::this_thread::get_id());
    {
      std::lock_guard lock(mutex);
      records.push_back(record);
    }
    inside.Open();
    if (gate != nullptr) gate->Pass();
  }
  [[nodiscard]] std::vector<TestRecord> All() {
    std::lock_guard lock(mutex);
    return records;
  }
  [[nodiscard]] std::vector<int> Values() {
    std::vector<int> values;
    for (const TestRecord& record : All()) values.push_back(record.value);
    return values;
  }
  [[nodiscard]] bool Await(size_t count) {
    return testing::Eventually([&] { return All().size() >= count; });
  }

  std::mutex mutex;
  std::vector<TestRecord> records;
  std::atomic<std::thread::id> thread{};
  testing::Gate inside;           // a callback has begun
  testing::Gate* gate = nullptr;  // each waits for it
};

class RecordingSink final : public Sink<TestRecord> {
 public:
  using Filter = std::function<bool(const TestRecord&)>;

  explicit RecordingSink(std::shared_ptr<Received> received, Filter wants = nullptr)
      : received_(std::move(received)), wants_(std::move(wants)) {}
  void OnRecord(const TestRecord& record) noexcept override { received_->Note(record); }
  uint64_t WantedOf(std::span<const TestRecord* const> records) const noexcept override {
    return SelectOf(records, [&](const TestRecord& r) { return wants_ == nullptr || wants_(r); });
  }

 private:
  const std::shared_ptr<Received> received_;
  const Filter wants_;
};

inline std::shared_ptr<Subscription<TestRecord>> MakeSubscription(
    size_t capacity, const std::shared_ptr<Received>& received,
    RecordingSink::Filter wants = nullptr) {
  return std::make_shared<Subscription<TestRecord>>(
      "test", capacity, std::make_unique<RecordingSink>(received, std::move(wants)));
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_TESTS_BUS_RECORDING_SINK_H_
