#include "supervisor/flight_recorder.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "supervisor/line_buffer.h"

namespace taskvisor::internal {
namespace {

constexpr std::string_view kCut = "...";

// Returns the end of what was written.
char* CopyCut(char* to, std::string_view text, size_t room) {
  const size_t size = std::min(text.size(), room);
  if (size > 0) std::memcpy(to, text.data(), size);
  if (text.size() > room) std::memcpy(to + room - kCut.size(), kCut.data(), kCut.size());
  return to + size;
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void Put(LineBuffer& line, std::string_view key, std::string_view text) {
  if (!text.empty()) line.Text(" ").Text(key).Text("=").Printable(text);
}
void Put(LineBuffer& line, std::string_view key, std::optional<Duration> value) {
  if (value.has_value()) line.Text(" ").Text(key).Text("_ns=").Decimal(value->count());
}
void Put(LineBuffer& line, std::string_view key, std::optional<TaskId> id) {
  if (id.has_value()) line.Text(" ").Text(key).Text("=").Decimal(id->value());
}
template <std::integral Number>
void Put(LineBuffer& line, std::string_view key, std::optional<Number> value) {
  if (value.has_value()) line.Text(" ").Text(key).Text("=").Decimal(*value);
}
template <class Enum>
requires std::is_enum_v<Enum>
void Put(LineBuffer& line, std::string_view key, std::optional<Enum> value) {
  if (value.has_value()) Put(line, key, Label(*value));
}

// What Event::ToString says, without memory of its own, and exact. The reason comes last:
// it is the one text that may hold spaces.
void PutLine(LineBuffer& line, const Event& event) {
  line.Text("#").Decimal(event.sequence).Text(" ").Text(Label(event.kind()));
  Put(line, "task", event.task());
  Put(line, "slot", event.slot());
  Put(line, "id", event.id());
  Put(line, "attempt", event.attempt());
  Put(line, "parent", event.parent_id());
  Put(line, "duration", event.duration());
  Put(line, "delay", event.delay());
  Put(line, "timeout", event.timeout());
  Put(line, "overrun", event.overrun());
  Put(line, "queue_wait", event.queue_wait());
  Put(line, "cpu_time", event.cpu_time());
  Put(line, "grace", event.grace());
  Put(line, "thread", event.thread());
  Put(line, "exit_code", event.exit_code());
  Put(line, "backoff_source", event.backoff_source());
  Put(line, "outcome_kind", event.outcome_kind());
  Put(line, "rejection_kind", event.rejection_kind());
  Put(line, "cause", event.cause());
  Put(line, "count", event.count());
  Put(line, "at", std::optional(event.at().time_since_epoch()));
  Put(line, "reason", event.reason());
  line.Text("\n");
}

}  // namespace

FlightRecorder::FlightRecorder(size_t events)
    : size_(events), cells_(std::make_unique<Cell[]>(events)) {}

void FlightRecorder::Fit(const EventRecord& record, Content& content) {
  const auto count = static_cast<size_t>(std::popcount(record.present & EventDraft::kNumbers));
  const size_t numbers = sizeof(uint64_t) * (std::max<size_t>(count, 1) - 1);
  const auto* const text = reinterpret_cast<const char*>(&record + 1);
  const std::string_view name(text + numbers, record.name_size);
  const std::string_view reason(name.data() + name.size(),
                                record.TextSizeOfItsOwn() - numbers - name.size());
  const size_t parent = record.text_size - record.TextSizeOfItsOwn();
  // The name may have what the reason leaves, and half of the room in any case.
  const size_t room = kTextBytes - numbers - parent;
  const size_t name_room = std::max(room / 2, room - std::min(room, reason.size()));

  content.record = record;
  std::memcpy(content.text, text, numbers);
  char* const name_at = content.text + numbers;
  char* const reason_at = CopyCut(name_at, name, name_room);
  const auto name_size = static_cast<size_t>(reason_at - name_at);
  char* const end = CopyCut(reason_at, reason, room - name_size);
  std::memcpy(end, reason.data() + reason.size(), parent);
  content.record.name_size = static_cast<uint8_t>(name_size);
  content.record.text_size = static_cast<uint16_t>(end + parent - content.text);
}

void FlightRecorder::Record(const EventRecord& record) noexcept {
  if (size_ == 0) return;
  if (record.text_size <= kTextBytes) return Put(&record, sizeof(record) + record.text_size);
  Content content;
  Fit(record, content);
  Put(&content, sizeof(EventRecord) + content.record.text_size);
}

void FlightRecorder::Put(const void* bytes, size_t size) noexcept {
  const auto* const from = static_cast<const char*>(bytes);
  const uint64_t n = recorded_.load(std::memory_order_relaxed);  // relaxed: our own
  Cell& cell = cells_[n % size_];
  cell.stamp.store(2 * n + 1, std::memory_order_relaxed);  // relaxed: each word below carries it
  const auto store = [&](size_t i, size_t part) {
    uint64_t word = 0;
    std::memcpy(&word, from + i * sizeof(word), part);
    cell.words[i].store(word, std::memory_order_release);
  };
  const size_t whole = size / sizeof(uint64_t);
  for (size_t i = 0; i < whole; ++i) store(i, sizeof(uint64_t));
  if (const size_t rest = size % sizeof(uint64_t); rest != 0) store(whole, rest);
  cell.stamp.store(2 * n + 2, std::memory_order_release);
  recorded_.store(n + 1, std::memory_order_release);  // pairs with the acquire in Dump and Of
}

bool FlightRecorder::Read(uint64_t n, Content& content) const noexcept {
  const Cell& cell = cells_[n % size_];
  const uint64_t whole = 2 * n + 2;
  if (cell.stamp.load(std::memory_order_acquire) != whole) return false;
  Words words;
  for (size_t i = 0; i < kWords; ++i) words[i] = cell.words[i].load(std::memory_order_acquire);
  // relaxed: the acquires above keep it behind them
  if (cell.stamp.load(std::memory_order_relaxed) != whole) return false;
  std::memcpy(&content, words.data(), sizeof(content));
  return true;
}

size_t FlightRecorder::Dump(int fd) const noexcept {
  const int saved_errno = errno;
  const uint64_t end = recorded_.load(std::memory_order_acquire);
  size_t written = 0;
  for (uint64_t n = end - std::min<uint64_t>(end, size_); n < end; ++n) {
    Content content;
    if (!Read(n, content)) continue;
    Event event;
    content.record.ReadTo(event);
    LineBuffer line;
    PutLine(line, event);
    if (!WriteAll(fd, line.view())) break;
    ++written;
  }
  errno = saved_errno;
  return written;
}

std::vector<std::vector<Event>> FlightRecorder::Of(const std::vector<TaskId>& ids,
                                                   size_t most) const {
  std::vector<std::vector<Event>> events(ids.size());
  std::unordered_map<TaskId, std::vector<Event>*> wanted;
  for (size_t i = 0; i < ids.size(); ++i) wanted.emplace(ids[i], &events[i]);
  const uint64_t end = recorded_.load(std::memory_order_acquire);
  const uint64_t begin = end - std::min<uint64_t>(end, size_);
  for (uint64_t n = end; n-- > begin;) {
    Content content;
    if (!Read(n, content)) continue;
    const auto found = wanted.find(TaskId(content.record.id, content.record.slot));
    if (found == wanted.end() || found->second->size() == most) continue;
    content.record.ReadTo(found->second->emplace_back());
  }
  for (auto& of_one : events) std::reverse(of_one.begin(), of_one.end());
  return events;
}

}  // namespace taskvisor::internal
