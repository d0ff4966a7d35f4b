#include <spdlog/spdlog.h>

#include <csignal>

#include "bridge/ai/task_run.hpp"
#include "bridge/publisher/process.hpp"
#include "bridge/publisher/worker.hpp"

namespace {

using namespace nexus;

// How often it looks whether what it works on is still wanted.
constexpr std::chrono::milliseconds kWatch{250};

int run(const ai::Settings &settings, const sigset_t &signals) {
  const publisher::HttpClient http(publisher::AddressGuard(settings.allow_networks), settings.ca_file);
  ai::Memory memory;
  std::atomic<bool> giving_back{false};
  const ai::Tools tools{settings, http, memory, giving_back};
  publisher::Worker worker(
      {"nexus-ai-worker",
       settings.db_uri,
       settings.db_role,
       settings.worker,
       {"ai"},
       {"ai_task"},
       settings.concurrency,
       settings.lease,
       kWatch},
      [&tools](publisher::Database &database, publisher::Job &job, bool) { ai::TaskRun(database, tools, job).run(); });
  publisher::run_until_signal(worker, signals, std::chrono::seconds(settings.shutdown_timeout), giving_back);
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  std::optional<int> exit_code;
  const ai::Settings settings = ai::read_settings(argc, argv, exit_code);
  if (exit_code) return *exit_code;
  const sigset_t signals = publisher::block_end_signals();
  std::signal(SIGPIPE, SIG_IGN);
  publisher::log_to_stderr("ai", settings.log_level);
  try {
    return run(settings, signals);
  } catch (const std::exception &error) {
    spdlog::error("the worker ends: {}", error.what());
    return 1;
  }
}
