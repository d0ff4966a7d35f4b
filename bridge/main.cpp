#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "bridge/auth/jwt.hpp"
#include "bridge/config/settings.hpp"
#include "bridge/http/handler.hpp"
#include "bridge/net/front.hpp"
#include "bridge/pg/gateway.hpp"

namespace {

using nexus::bridge::Authenticator;
using nexus::bridge::Handler;
using nexus::bridge::SessionKeys;
using nexus::bridge::Settings;
using nexus::bridge::net::Front;
using nexus::bridge::net::FrontOptions;

constexpr std::size_t kAdminThreads = 2;

// Signals are taken by sigwait() in the main thread alone; set before any thread starts.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

FrontOptions front_options(const Settings &settings) {
  FrontOptions options;
  options.threads = static_cast<std::size_t>(settings.server_threads);
  options.max_body = settings.max_body;
  options.max_response = settings.max_response;
  options.error_proxy = settings.server_proxy_name;
  return options;
}

// Waits for the end of what is in work; past the time limit queries are cancelled and connections cut.
void drain(Front &front, nexus::bridge::pg::Gateway &gateway, std::thread &serving, std::chrono::seconds limit) {
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  std::thread watchdog([&] {
    std::unique_lock<std::mutex> lock(mutex);
    if (ended.wait_for(lock, limit, [&] { return done; })) return;
    spdlog::warn("requests still run after {} s: they are cancelled", limit.count());
    gateway.cancel_all();
    front.abort();
  });
  front.close();
  serving.join();
  {
    std::lock_guard<std::mutex> lock(mutex);
    done = true;
  }
  ended.notify_all();
  watchdog.join();
}

int run(const Settings &settings, const sigset_t &signals) {
  const SessionKeys session_keys(settings.session_keys);
  Authenticator authenticator(settings.jwt_secret, settings.jwt_aud, settings.db_anon_role, settings.jwt_role_claim_key,
                              settings.jwt_cache_max_entries);
  authenticator.take_sessions(session_keys, settings.session_role);
  nexus::bridge::pg::Gateway gateway(settings);
  Handler handler(settings, authenticator, session_keys, gateway);

  Front front(front_options(settings), [&](const auto &request, auto &response) { handler.handle(request, response); });
  const int port = front.open(settings.server_host, settings.server_port);
  if (port < 0) {
    spdlog::error("cannot listen on {}:{}", settings.server_host, settings.server_port);
    return 1;
  }
  std::unique_ptr<Front> admin;
  if (settings.admin_server_port != 0) {
    FrontOptions options = front_options(settings);
    options.threads = kAdminThreads;
    admin = std::make_unique<Front>(
        options, [&](const auto &request, auto &response) { handler.handle_admin(request, response); });
    if (admin->open(settings.admin_server_host, settings.admin_server_port) < 0) {
      spdlog::error("cannot listen on {}:{}", settings.admin_server_host, settings.admin_server_port);
      return 1;
    }
  }
  std::thread serving([&] { front.serve(); });
  std::thread serving_admin;
  if (admin) serving_admin = std::thread([&] { admin->serve(); });
  spdlog::info("listening on {}:{}", settings.server_host, port);

  int number = 0;
  while (sigwait(&signals, &number) == 0 && number == SIGUSR1) gateway.reload();
  spdlog::info("stopping");
  handler.drain();
  drain(front, gateway, serving, std::chrono::seconds(settings.shutdown_timeout));
  if (admin) {
    admin->close();
    serving_admin.join();
  }
  spdlog::info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  std::optional<int> exit_code;
  const Settings settings = nexus::bridge::read_settings(argc, argv, exit_code);
  if (exit_code) return *exit_code;
  const sigset_t signals = block_signals();
  spdlog::set_default_logger(spdlog::stderr_color_mt("bridge"));
  spdlog::set_level(spdlog::level::from_str(settings.log_level));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  try {
    return run(settings, signals);
  } catch (const std::exception &error) {
    spdlog::error("the bridge ends: {}", error.what());
    return 1;
  }
}
