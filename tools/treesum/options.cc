#include "tools/treesum/options.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "tools/treesum/manifest.h"
#include "tools/treesum/units.h"
#include "tools/treesum/walker.h"

namespace taskvisor::treesum {
namespace {

constexpr char kSummary[] =
    "Prints the SHA-256 of every regular file below each DIR, sorted by path, as sha256sum\n"
    "prints it. Each file is one supervised task, with a timeout, retries and backoff.";

constexpr char kManual[] = R"(
A DIR may also be a file, or a symlink to either; symlinks below it are not followed. A path
that is reached twice is listed once. Files this run itself writes (a redirected manifest,
--output, --events, --json) are left aside, and named on stderr.

Errors that may pass (EIO, EAGAIN, EMFILE, ENFILE, ENOMEM, EBUSY, ESTALE, ETIMEDOUT, a file that
changes while it is read, a timeout) are tried again, after 50 ms, 100 ms, ... up to 2 s, half of it
at random. Others (EACCES, ENOENT, ...) fail the file at once. A failed file is named on stderr and
missing from the manifest. The table on stderr adds up:
  files = completed + failed + left out (by a signal) + stuck (did not stop within grace)

DURATION is a number with ms, s, m or h; without a unit, seconds.

Exit codes
  0    every file is in the manifest
  1    some files failed, a directory could not be read, or an output could not be written (disk
       full, closed pipe, ...)
  2    wrong command line, or a DIR that does not exist
  130  ended by SIGINT (Ctrl-C); 143 by SIGTERM, 131 by SIGQUIT. The manifest holds what was
       completed until then. (Before the first file is begun a signal simply kills.)

Examples
  treesum /usr/include > manifest && sha256sum -c --quiet manifest
  treesum --timeout 30s --max-concurrent 8 --events events.jsonl src include > manifest
  treesum --chaos 0.2 --seed 7 /usr/include > manifest    # supervision at work
  treesum --quiet --json summary.json --output manifest .
  treesum -- -odd-name                                    # a name that begins with a dash
)";

constexpr char kDurationType[] = "DURATION";

[[noreturn]] void Refuse(const char* option, const std::string& text, const char* why) {
  throw CLI::ValidationError(fmt::format("{}: {} {}", option, Quoted(text), why));
}

// A converter for CLI11: stores the duration, or complains.
auto DurationInto(const char* option, std::optional<Duration>& target) {
  return [option, &target](const std::string& text) {
    target = ParseDuration(text);
    if (!target) Refuse(option, text, "is not a duration such as 250ms or 2s");
  };
}

auto ProgressInto(ProgressMode& target) {
  return [&target](const std::string& text) {
    if (text != "auto" && text != "always" && text != "never") {
      Refuse("--progress", text, "is not auto, always or never");
    }
    target = text == "auto"     ? ProgressMode::kAuto
             : text == "always" ? ProgressMode::kAlways
                                : ProgressMode::kNever;
  };
}

// CLI::Range lets a NaN pass, and says itself in the help text.
auto ProbabilityInto(double& target) {
  return [&target](const std::string& text) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, target);
    if (error != std::errc() || rest != end || !(target >= 0 && target <= 1)) {
      Refuse("--chaos", text, "is not a probability from 0 to 1");
    }
  };
}

auto SeedInto(uint64_t& target) {
  return [&target](const std::string& text) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, target);
    if (error != std::errc() || rest != end) {
      Refuse("--seed", text, "is not a whole number from 0 to 2^64 - 1");
    }
  };
}

// A range that the help text shows nothing of.
template <class T>
CLI::Validator Between(T low, T high) {
  return CLI::Range(low, high).description("");
}

struct Raw {
  std::optional<Duration> grace;
  double probability = 0;
  uint64_t seed = 1;
};

void AddLimits(CLI::App& app, Options& options, Raw& raw) {
  app.add_option_function<std::string>("--timeout", DurationInto("--timeout", options.timeout),
                                       "Time limit for one attempt at one file; 0: none (default)")
      ->type_name(kDurationType);
  app.add_option("--max-concurrent", options.max_concurrent,
                 "Files read at once (default: one per CPU; 16 with --chaos)")
      ->type_name("N")
      ->check(Between(size_t{1}, size_t{4096}));
  app.add_option("--retries", options.retries,
                 "Further attempts at a file whose error may pass\n"
                 "(default: 3; 8 with --chaos)")
      ->type_name("N")
      ->check(Between(uint32_t{0}, uint32_t{1000000}));
  app.add_option_function<std::string>("--grace", DurationInto("--grace", raw.grace),
                                       "How long a signal waits for files being read (default: 5s)")
      ->type_name(kDurationType);
}

void AddOutputs(CLI::App& app, Options& options) {
  app.add_option("--output", options.output, "Write the manifest there instead of stdout")
      ->type_name("FILE");
  app.add_option("--events", options.events, "Write every lifecycle event there, as JSON lines")
      ->type_name("FILE");
  app.add_option("--json", options.json,
                 "Write the summary there, as one line of JSON;\n"
                 "-: on stderr, in place of the table")
      ->type_name("FILE");
  app.add_option_function<std::string>(
         "--progress", ProgressInto(options.progress),
         "Show a progress bar on stderr: auto (if it is a terminal), always, never")
      ->type_name("WHEN");
  app.add_flag("-q,--quiet", options.quiet, "No table and no progress bar; errors are still named");
}

CLI::Option* AddChaos(CLI::App& app, Raw& raw) {
  CLI::Option* const chaos =
      app.add_option_function<std::string>(
             "--chaos", ProbabilityInto(raw.probability),
             "Inject failures, exceptions, slow reads and hangs, each attempt with\n"
             "probability P; a file's default timeout is then 100 ms + 1 s per 16 MiB")
          ->type_name("P");
  app.add_option_function<std::string>("--seed", SeedInto(raw.seed),
                                       "Which attempts --chaos picks (default: 1)")
      ->type_name("N")
      ->needs(chaos);
  return chaos;
}

// Operands are taken from what CLI11 leaves over: as a positional it would take "[a,b]",
// a fine name for a file, apart.
std::vector<std::string> Operands(const CLI::App& app) {
  std::vector<std::string> operands;
  bool only_operands = false;
  for (std::string& word : app.remaining()) {
    if (!only_operands && word == "--") {
      only_operands = true;
    } else if (!only_operands && word.size() > 1 && word.front() == '-') {
      throw CLI::ValidationError("unknown option " + Quoted(word));
    } else {
      operands.push_back(std::move(word));
    }
  }
  return operands;
}

void CheckOperands(const std::vector<std::string>& operands) {
  if (operands.empty()) throw CLI::ValidationError("no DIR given");
  for (const std::string& operand : operands) {
    const int error = CheckOperand(operand);
    if (error == 0) continue;
    throw CLI::ValidationError(
        Quoted(operand) + ": " +
        (error == EINVAL ? "neither a directory nor a regular file" : std::strerror(error)));
  }
}

class Help : public CLI::Formatter {
 public:
  Help() { column_width(28); }
  // CLI11 cannot know that the words left over are operands.
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: treesum [OPTION]... [--] DIR...\n";
  }
};

int Complain(const std::string& what) {
  std::fprintf(stderr, "treesum: %s\nTry 'treesum --help'.\n", what.c_str());
  return kExitUsage;
}

}  // namespace

std::variant<Options, int> ParseOptions(int argc, const char* const* argv) {
  CLI::App app(kSummary, "treesum");
  app.formatter(std::make_shared<Help>());
  app.footer(kManual);
  app.set_version_flag("--version", "treesum (taskvisor) 0.1.0");
  app.allow_extras();
  Options options;
  Raw raw;
  AddLimits(app, options, raw);
  AddOutputs(app, options);
  const CLI::Option* const chaos = AddChaos(app, raw);
  try {
    app.parse(argc, argv);
    options.operands = Operands(app);
    CheckOperands(options.operands);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::Error& error) {
    return Complain(error.what());
  }
  options.grace = raw.grace.value_or(options.grace);
  if (chaos->count() > 0) options.chaos.emplace(raw.probability, raw.seed);
  if (options.chaos && options.timeout == Duration::zero()) {
    return Complain("--timeout 0 with --chaos: nothing would end an injected hang");
  }
  return options;
}

}  // namespace taskvisor::treesum
