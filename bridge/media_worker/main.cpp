#include <spdlog/spdlog.h>

#include <csignal>

#include "bridge/media_worker/media_run.hpp"
#include "bridge/publisher/process.hpp"
#include "bridge/publisher/worker.hpp"

namespace {

using namespace nexus;

constexpr std::chrono::milliseconds kWatch{1000};  // how often it looks whether what it works on is still wanted

int run(const media_worker::Settings &settings, const sigset_t &signals) {
  const auto store = media::open_store(settings.store);
  std::atomic<bool> giving_back{false};
  media_worker::Tools tools{settings, *store, giving_back};
  publisher::Worker worker({"nexus-media-worker",
                            settings.db_uri,
                            settings.db_role,
                            settings.worker,
                            {"media"},
                            {"media"},
                            settings.concurrency,
                            settings.lease,
                            kWatch},
                           [&tools](publisher::Database &database, publisher::Job &job, bool) {
                             media_worker::MediaRun(database, tools, job).run();
                           });
  publisher::run_until_signal(worker, signals, std::chrono::seconds(settings.shutdown_timeout), giving_back);
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  std::optional<int> exit_code;
  const media_worker::Settings settings = media_worker::read_settings(argc, argv, exit_code);
  if (exit_code) return *exit_code;
  const sigset_t signals = publisher::block_end_signals();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit is a full disk
  publisher::log_to_stderr("media", settings.log_level);
  try {
    return run(settings, signals);
  } catch (const std::exception &error) {
    spdlog::error("the worker ends: {}", error.what());
    return 1;
  }
}
