#include "tools/treesum/report.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tools/exporters/event_json.h"
#include "tools/exporters/text.h"
#include "tools/treesum/manifest.h"
#include "tools/treesum/read_error.h"
#include "tools/treesum/units.h"

namespace taskvisor::treesum {
namespace {

using exporters::Json;

constexpr uint64_t kLeftOutShown = 10;

double PerSecond(uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

// Rows of a number and what it counts.
class Table {
 public:
  void Row(std::string_view value, std::string_view name) {
    fmt::format_to(std::back_inserter(text_), "{:>14}  {}\n", value, name);
  }
  void Row(uint64_t count, std::string_view name) { Row(std::to_string(count), name); }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_ = "treesum:\n";
};

Json EventsJson(const std::optional<EventCounts>& events) {
  if (!events) return nullptr;
  return {{"written", events->written}, {"lost", events->lost}};
}

Json ChaosJson(const std::optional<Chaos>& chaos) {
  if (!chaos) return nullptr;
  return {{"probability", chaos->probability()}, {"seed", chaos->seed()}};
}

Json MissingJson(const Job& job, const RunResult& run) {
  Json missing = Json::array();
  for (size_t i = 0; i < run.files.size(); ++i) {
    const FileOutcome& file = run.files[i];
    if (file.kind == OutcomeKind::kCompleted) continue;
    Json& entry = missing.emplace_back(Json::object());
    exporters::AddText(entry, "path", job.tree.files[i].path);
    entry["outcome"] = Label(file.kind);
    if (!file.reason.empty()) exporters::AddText(entry, "reason", file.reason);
    entry["attempts"] = file.attempts;
  }
  return missing;
}

Json UnreadableJson(const Tree& tree) {
  Json unreadable = Json::array();
  for (const Unreadable& directory : tree.unreadable) {
    Json& entry = unreadable.emplace_back(Json::object());
    exporters::AddText(entry, "path", directory.path);
    entry["reason"] = Describe(directory.error);
  }
  return unreadable;
}

}  // namespace

std::string FormatTable(const Summary& s) {
  Table table;
  table.Row(s.files, "files");
  table.Row(s.completed, "  completed");
  table.Row(s.failed, "  failed");
  for (const auto& [reason, count] : s.failed_by_reason) {
    table.Row(count, fmt::format("    {}", exporters::OneLine(reason)));
  }
  table.Row(s.left_out, "  left out");
  table.Row(s.stuck, "  stuck");
  table.Row(s.unreadable, "unreadable directories");
  table.Row(s.retried_files, fmt::format("files retried, {} retries", s.retries));
  table.Row(s.bytes, fmt::format("bytes, {}", FormatBytes(static_cast<double>(s.bytes))));
  table.Row(fmt::format("{:.3f} s", s.wall_seconds), "wall time");
  table.Row(fmt::format("{:.3f} s", s.cpu_seconds), "CPU time");
  table.Row(fmt::format("{}/s", FormatBytes(PerSecond(s.bytes, s.wall_seconds))),
            fmt::format("speed, {:.0f} files/s", PerSecond(s.completed, s.wall_seconds)));
  if (s.events) table.Row(s.events->written, fmt::format("events, {} lost", s.events->lost));
  if (s.chaos) {
    table.Row(fmt::format("{}", s.chaos->probability()),
              fmt::format("probability of chaos, seed {}", s.chaos->seed()));
  }
  return table.Take();
}

std::string FormatJson(const Summary& s, const Job& job, const RunResult& run, int exit_code) {
  Json object = {{"files", s.files},
                 {"completed", s.completed},
                 {"failed", s.failed},
                 {"left_out", s.left_out},
                 {"stuck", s.stuck},
                 {"failed_by_reason", s.failed_by_reason},
                 {"unreadable", s.unreadable},
                 {"retried_files", s.retried_files},
                 {"retries", s.retries},
                 {"bytes", s.bytes},
                 {"wall_seconds", s.wall_seconds},
                 {"cpu_seconds", s.cpu_seconds},
                 {"bytes_per_second", PerSecond(s.bytes, s.wall_seconds)},
                 {"signal", s.signal == 0 ? Json(nullptr) : Json(s.signal)},
                 {"exit_code", exit_code},
                 {"events", EventsJson(s.events)},
                 {"chaos", ChaosJson(s.chaos)}};
  object["missing"] = MissingJson(job, run);
  object["unreadable_directories"] = UnreadableJson(job.tree);
  return exporters::Dump(object) + "\n";
}

std::string DescribeWalk(const Tree& tree) {
  std::string text;
  for (const Unreadable& directory : tree.unreadable) {
    text += fmt::format("treesum: {}: {}\n", Quoted(directory.path), Describe(directory.error));
  }
  for (const std::string& path : tree.own) {
    text += fmt::format("treesum: {}: left aside, this run writes it\n", Quoted(path));
  }
  return text;
}

std::string DescribeLosses(const Job& job, const RunResult& run) {
  std::string text;
  uint64_t left_out = 0;
  for (size_t i = 0; i < run.files.size(); ++i) {
    const FileOutcome& file = run.files[i];
    const std::string path = Quoted(job.tree.files[i].path);
    if (file.kind == OutcomeKind::kCompleted) continue;
    if (file.kind == OutcomeKind::kCancelled) {
      if (++left_out <= kLeftOutShown) text += fmt::format("treesum: {}: left out\n", path);
    } else if (file.kind == OutcomeKind::kStuck) {
      text += fmt::format("treesum: {}: stuck, did not stop within grace\n", path);
    } else {
      text += fmt::format("treesum: {}: {} ({} attempt{})\n", path, file.reason, file.attempts,
                          file.attempts == 1 ? "" : "s");
    }
  }
  if (left_out > kLeftOutShown) {
    text += fmt::format("treesum: ... and {} more left out\n", left_out - kLeftOutShown);
  }
  return text;
}

}  // namespace taskvisor::treesum
