#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "taskvisor/exporters/chrome_trace.h"
#include "taskvisor/exporters/json_lines.h"
#include "taskvisor/exporters/line_logger.h"
#include "taskvisor/exporters/prometheus.h"
#include "taskvisor/supervisor.h"

namespace taskvisor::exporters {
namespace {

// The four built-ins side by side in one supervisor.
TEST(ContractExporters, S137_TheBuiltInsSeeEveryEventOfARun) {
  std::stringstream log, lines, trace;
  auto logger = std::make_shared<LineLogger>(log);
  auto json = std::make_shared<JsonLines>(lines);
  auto chrome = std::make_shared<ChromeTrace>(trace);
  auto metrics = std::make_shared<Prometheus>();
  SupervisorConfig config;
  config.subscribers = {logger, json, chrome, metrics};
  auto supervisor = Supervisor::Create(std::move(config));
  ASSERT_TRUE(supervisor.ok()) << supervisor.status();
  ASSERT_TRUE(supervisor
                  ->Run(TaskSpec::Restartable("flaky",
                                              [](TaskContext& context) {
                                                return context.attempt() < 3 ? Fail("not yet")
                                                                             : Ok();
                                              })
                            .WithBackoff(BackoffPolicy::Constant(std::chrono::milliseconds(1))))
                  .ok());
  json->Flush();
  chrome->Finish();

  size_t logged = 0, written = 0;
  for (std::string line; std::getline(log, line);) ++logged;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(nlohmann::json::parse(line).contains("kind"));
    ++written;
  }
  EXPECT_GE(written, 12u) << "3 attempts, 2 waits, the ends, the verdict";
  EXPECT_EQ(logged, written);
  EXPECT_TRUE(nlohmann::json::parse(trace.str()).is_array());
  const std::string text = metrics->Render();
  EXPECT_NE(text.find("taskvisor_attempts_started_total 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("taskvisor_retries_total 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("taskvisor_missed_events_total 0\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace taskvisor::exporters
