#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>

#include "bridge/ai/task_run.hpp"
#include "bridge/publisher/worker.hpp"

namespace {

using namespace nexus;

// How often it looks whether what it works on is still wanted, and how long it takes to let go of it.
constexpr std::chrono::milliseconds kWatch{250};
constexpr std::chrono::seconds kGivingBack{5};

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
  worker.start();
  int number = 0;
  sigwait(&signals, &number);
  spdlog::info("stopping");
  worker.drain();
  if (!worker.wait(std::chrono::seconds(settings.shutdown_timeout))) {
    giving_back = true;
    if (!worker.wait(kGivingBack)) {
      spdlog::warn("tasks are left to the end of their lease");
      spdlog::shutdown();
      _exit(1);
    }
  }
  spdlog::info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  std::optional<int> exit_code;
  const ai::Settings settings = ai::read_settings(argc, argv, exit_code);
  if (exit_code) return *exit_code;
  // Signals are taken by sigwait() in the main thread alone.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  spdlog::set_default_logger(spdlog::stderr_color_mt("ai"));
  spdlog::set_level(spdlog::level::from_str(settings.log_level));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  try {
    return run(settings, signals);
  } catch (const std::exception &error) {
    spdlog::error("the worker ends: {}", error.what());
    return 1;
  }
}
