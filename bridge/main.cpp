#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>
#include <boost/asio/ssl/context.hpp>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>

#include "bridge/auth/jwt.hpp"
#include "bridge/config/settings.hpp"
#include "bridge/http/handler.hpp"
#include "bridge/net/server.hpp"
#include "bridge/serve/admin.hpp"
#include "bridge/serve/call_service.hpp"
#include "bridge/serve/gateway.hpp"
#include "bridge/serve/passwords.hpp"

namespace {

using nexus::bridge::Authenticator;
using nexus::bridge::Handler;
using nexus::bridge::SessionKeys;
using nexus::bridge::Settings;
using nexus::bridge::net::Loop;
using nexus::bridge::net::Server;
using nexus::bridge::net::SessionOptions;
using nexus::bridge::serve::CallService;
using nexus::bridge::serve::Gateway;
using nexus::bridge::serve::Passwords;
using nexus::bridge::serve::Plain;
using nexus::bridge::serve::PlainService;

constexpr std::size_t kAdminThreads = 2, kAdminConnections = 64, kReservedDescriptors = 64;

// Signals are taken by sigwait() in the main thread alone; set before any thread starts.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// How many connections there may be: what the process may open, less what it needs for itself and the admin port.
std::size_t connection_limit(const Settings &settings) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1000;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::size_t own = kReservedDescriptors + kAdminConnections + 2 * static_cast<std::size_t>(settings.db_pool);
  return std::max<std::size_t>(limit.rlim_cur, own + 16) - own;
}

std::size_t loops_of(const Settings &settings) {
  std::size_t loops = static_cast<std::size_t>(settings.server_threads);
  if (loops == 0) loops = std::clamp<std::size_t>(std::thread::hardware_concurrency() / 2, 1, 4);
  return std::min(loops, static_cast<std::size_t>(settings.db_pool));
}

SessionOptions session_options(const Settings &settings) {
  SessionOptions options;
  options.max_body = settings.max_body;
  options.error_proxy = settings.server_proxy_name;
  options.log_requests = spdlog::should_log(spdlog::level::info);
  return options;
}

// TLS 1.2 and later, with OpenSSL's own choice of ciphers; null without a certificate. Throws where a file does not
// serve.
std::shared_ptr<boost::asio::ssl::context> tls_of(const Settings &settings) {
  if (settings.server_tls_certificate.empty()) return nullptr;
  auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
  context->set_options(boost::asio::ssl::context::no_tlsv1 | boost::asio::ssl::context::no_tlsv1_1);
  context->use_certificate_chain_file(settings.server_tls_certificate);
  context->use_private_key_file(settings.server_tls_key, boost::asio::ssl::context::pem);
  return context;
}

bool open(Server &server, const std::string &host, int port) {
  const int bound = server.open(host, port);
  if (bound < 0) {
    spdlog::error("cannot listen on {}:{}", host, port);
    return false;
  }
  spdlog::info("listening on {}:{}", host, bound);
  return true;
}

int run(const Settings &settings, const sigset_t &signals) {
  const std::size_t loops = loops_of(settings);
  const SessionKeys session_keys(settings.session_keys);
  Authenticator authenticator(settings.jwt_secret, settings.jwt_aud, settings.db_anon_role, settings.jwt_role_claim_key,
                              settings.jwt_cache_max_entries);
  authenticator.take_sessions(session_keys, settings.session_role);
  Gateway gateway(settings, loops);
  Handler handler(settings, authenticator, session_keys, gateway);
  Passwords passwords;
  SessionOptions options = session_options(settings);
  options.max_connections = connection_limit(settings) / loops;
  Server server(options, loops,
                [&](Loop &loop) { return std::make_unique<CallService>(loop, settings, handler, gateway, passwords); });

  try {
    server.use_tls(tls_of(settings));
  } catch (const boost::system::system_error &error) {
    spdlog::error("server-tls-certificate and server-tls-key cannot be used: {}", error.what());
    return 1;
  }

  Plain plain(kAdminThreads);
  add_admin_handlers(plain, handler, gateway, server, settings.server_proxy_name);
  options.max_connections = kAdminConnections;
  options.log_requests = false;
  Server admin(options, 1, [&](Loop &loop) { return std::make_unique<PlainService>(loop, plain); });

  const bool listening =
      open(server, settings.server_host, settings.server_port) &&
      (settings.admin_server_port == 0 || open(admin, settings.admin_server_host, settings.admin_server_port));
  if (listening) {
    server.start();
    admin.start();
    int number = 0;
    while (sigwait(&signals, &number) == 0 && number == SIGUSR1) gateway.reload();
    spdlog::info("stopping");
    handler.drain();
    server.drain();
    if (!server.wait(std::chrono::seconds(settings.shutdown_timeout))) {
      spdlog::warn("requests still run after {} s: they are cancelled", settings.shutdown_timeout);
    }
    server.stop();
    admin.stop();
  }
  const bool cancelled = gateway.cancels_done(std::chrono::seconds(2));
  plain.join();
  passwords.stop();
  spdlog::info("stopped");
  if (!cancelled) {
    // The server does not take cancel requests, and libpq waits for it without end.
    spdlog::shutdown();
    _exit(listening ? 0 : 1);
  }
  gateway.close();
  return listening ? 0 : 1;
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
