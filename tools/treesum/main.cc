// treesum: the SHA-256 of every file of a tree, each file one supervised task.

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "tools/treesum/manifest.h"
#include "tools/treesum/options.h"
#include "tools/treesum/output_file.h"
#include "tools/treesum/progress.h"
#include "tools/treesum/report.h"
#include "tools/treesum/run.h"
#include "tools/treesum/summary.h"
#include "tools/treesum/walker.h"

namespace taskvisor::treesum {
namespace {

using std::chrono::steady_clock;

struct Outputs {
  OutputFile manifest;
  OutputFile events;
  OutputFile json;

  // Before any work, so that a mistake in a name costs nothing.
  explicit Outputs(const Options& options) {
    if (options.output.empty()) {
      manifest.Use(stdout, "standard output");
    } else {
      manifest.Create(options.output);
    }
    if (!options.events.empty()) events.Create(options.events);
    if (options.json == "-") {
      json.Use(stderr, "standard error");
    } else if (!options.json.empty()) {
      json.Create(options.json);
    }
  }

  [[nodiscard]] bool failed() const {
    return manifest.failed() || events.failed() || json.failed();
  }

  [[nodiscard]] std::set<FileKey> Keys() const {
    std::set<FileKey> keys;
    manifest.AddKey(keys);
    events.AddKey(keys);
    json.AddKey(keys);
    return keys;
  }
};

void WriteManifest(const Job& job, const RunResult& run, OutputFile& output) {
  for (size_t i = 0; i < run.files.size(); ++i) {
    if (run.files[i].kind != OutcomeKind::kCompleted) continue;
    output.Write(ManifestLine(job.records[i].hash.digest, job.tree.files[i].path));
  }
  output.Close();
}

int ExitCode(const Summary& summary, const RunResult& run, bool outputs_failed) {
  if (run.signal != 0) return 128 + run.signal;
  const bool all = summary.completed == summary.files && summary.unreadable == 0;
  return all && run.trouble.ok() && !outputs_failed ? 0 : kExitFailed;
}

void Say(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stderr); }

void Report(const Job& job, const RunResult& run, const Summary& summary, Outputs& outputs) {
  Say(DescribeLosses(job, run));
  if (!run.trouble.ok()) Say("treesum: supervisor: " + run.trouble.ToString() + "\n");
  if (run.signal != 0) {
    Say("treesum: ended by " + std::string(strsignal(run.signal)) + "\n");
  }
  const bool table = !job.options.quiet && job.options.json != "-";
  if (table) Say(FormatTable(summary));
  outputs.json.Write(FormatJson(summary, job, run, ExitCode(summary, run, outputs.failed())));
  outputs.json.Close();
}

RunResult RunWithProgress(const std::shared_ptr<Job>& job, std::FILE* events) {
  std::optional<Progress> progress;
  if (!job->options.quiet && WantsProgress(job->options.progress)) progress.emplace(*job);
  return RunJob(job, events);
}

int Main(Options options) {
  const auto start = steady_clock::now();
  Outputs outputs(options);
  if (outputs.failed()) return kExitFailed;
  Tree tree = Walk(options.operands, outputs.Keys());
  Say(DescribeWalk(tree));

  const auto job = std::make_shared<Job>(std::move(tree), std::move(options));
  const RunResult run = RunWithProgress(job, outputs.events.get());
  WriteManifest(*job, run, outputs.manifest);
  outputs.events.Close(run.events_error);

  Summary summary = Summarize(*job, run);
  summary.wall_seconds = std::chrono::duration<double>(steady_clock::now() - start).count();
  summary.cpu_seconds = CpuSeconds();
  Report(*job, run, summary, outputs);
  const int code = ExitCode(summary, run, outputs.failed());
  // A stuck body still uses what exit would tear down.
  if (summary.stuck > 0) _exit(code);
  return code;
}

}  // namespace
}  // namespace taskvisor::treesum

int main(int argc, char** argv) {
  namespace treesum = taskvisor::treesum;
  treesum::ReserveStandardStreams();
  // A reader that goes away is a write error like any other.
  signal(SIGPIPE, SIG_IGN);
  try {
    auto options = treesum::ParseOptions(argc, argv);
    if (const int* const code = std::get_if<int>(&options)) return *code;
    return treesum::Main(std::get<treesum::Options>(std::move(options)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "treesum: %s\n", error.what());
    return treesum::kExitFailed;
  }
}
