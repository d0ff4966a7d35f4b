#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <memory>
#include <thread>

#include "bridge/config/load.hpp"
#include "bridge/http/handler.hpp"
#include "bridge/http/text.hpp"
#include "bridge/media/media_service.hpp"
#include "bridge/net/log.hpp"
#include "bridge/net/server.hpp"
#include "bridge/net/tls.hpp"
#include "bridge/serve/admin.hpp"
#include "bridge/serve/call_service.hpp"
#include "bridge/serve/gateway.hpp"
#include "bridge/serve/service_manager.hpp"
#include "bridge/serve/slow_work.hpp"

namespace {

using nexus::bridge::Action;
using nexus::bridge::ConfigError;
using nexus::bridge::Handler;
using nexus::bridge::Loaded;
using nexus::bridge::MediaService;
using nexus::bridge::MediaStore;
using nexus::bridge::Policy;
using nexus::bridge::Settings;
using nexus::bridge::net::Loop;
using nexus::bridge::net::make_tls;
using nexus::bridge::net::Server;
using nexus::bridge::net::Service;
using nexus::bridge::net::SessionOptions;
using nexus::bridge::net::start_log;
using nexus::bridge::serve::CallService;
using nexus::bridge::serve::Gateway;
using nexus::bridge::serve::Plain;
using nexus::bridge::serve::PlainService;
using nexus::bridge::serve::SlowWorks;
using nexus::bridge::serve::tell_service_manager;

constexpr std::size_t kAdminThreads = 2, kAdminConnections = 64, kReservedDescriptors = 64;

// Signals are taken by sigwait() in the main thread alone; set before any thread starts.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit is a full disk
  return signals;
}

int replica_connections(const Settings &settings) {
  const auto replicas = nexus::bridge::split_trimmed(settings.db_replica_uris, '\n').size();
  return static_cast<int>(replicas) * settings.db_replica_pool;
}

// How many connections there may be: what the process may open, less what it needs for itself and the admin port.
std::size_t connection_limit(const Settings &settings) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1000;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::size_t own = kReservedDescriptors + kAdminConnections +
                          2 * static_cast<std::size_t>(settings.db_pool + replica_connections(settings));
  return std::max<std::size_t>(limit.rlim_cur, own + 16) - own;
}

std::size_t loops_of(const Settings &settings) {
  std::size_t loops = static_cast<std::size_t>(settings.server_threads);
  if (loops == 0) loops = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
  return std::min(loops, static_cast<std::size_t>(settings.db_pool));
}

SessionOptions session_options(const Settings &settings, std::size_t loops) {
  SessionOptions options;
  options.max_body = settings.max_body;
  options.error_proxy = settings.server_proxy_name;
  options.log_requests = spdlog::should_log(spdlog::level::info);
  options.max_connections = connection_limit(settings) / loops;
  return options;
}

bool open(Server &server, const std::string &host, int port, bool share) {
  try {
    spdlog::info("listening on {}:{}", host, server.open(host, port, share));
    return true;
  } catch (const std::exception &error) {
    spdlog::error("cannot listen on {}:{}: {}", host, port, error.what());
    return false;
  }
}

// Where media are; nothing when none are taken.
std::unique_ptr<MediaStore> open_media(const Settings &settings) {
  if (settings.media_store.empty()) return nullptr;
  nexus::media::StoreSettings place;
  place.place = settings.media_store;
  place.endpoint = settings.media_s3_endpoint;
  place.region = settings.media_s3_region;
  return std::make_unique<MediaStore>(nexus::media::open_store(with_environment(place)),
                                      static_cast<std::size_t>(settings.media_threads));
}

// Everything that runs, and what may change while it does.
class Bridge {
 public:
  Bridge(const Settings &settings, int argc, const char *const *argv)
      : settings_(settings),
        argc_(argc),
        argv_(argv),
        loops_(loops_of(settings)),
        gateway_(settings, loops_),
        handler_(std::make_shared<Policy>(settings), gateway_),
        options_(session_options(settings, loops_)),
        media_(open_media(settings)),
        server_(options_, loops_, [this](Loop &loop) { return make_service(loop); }),
        plain_(kAdminThreads),
        admin_(admin_options(options_), 1,
               [this](Loop &loop) { return std::make_unique<PlainService>(loop, plain_); }) {}

  // Serves until SIGTERM; gives the exit code.
  int run(const sigset_t &signals) {
    server_.use_tls(make_tls(settings_.server_tls_certificate, settings_.server_tls_key));
    add_admin_handlers(plain_, handler_, gateway_, server_, settings_.server_proxy_name);
    const bool listening = open(server_, settings_.server_host, settings_.server_port, settings_.reuse_port) &&
                           (settings_.admin_server_port == 0 ||
                            open(admin_, settings_.admin_server_host, settings_.admin_server_port, false));
    if (listening) {
      server_.start();
      admin_.start();
      tell_service_manager("READY=1");
      int number = 0;
      while (sigwait(&signals, &number) == 0 && (number == SIGUSR1 || number == SIGHUP)) {
        if (number == SIGHUP) change();
        gateway_.reload();
      }
      tell_service_manager("STOPPING=1");
      end();
    }
    const bool cancelled = gateway_.cancels_done(std::chrono::seconds(2));
    plain_.join();
    if (media_) media_->threads.join();
    slow_.stop();
    spdlog::info("stopped");
    if (!cancelled) {
      // The server does not take cancel requests, and libpq waits for it without end.
      spdlog::shutdown();
      _exit(listening ? 0 : 1);
    }
    gateway_.close();
    return listening ? 0 : 1;
  }

 private:
  std::unique_ptr<Service> make_service(Loop &loop) {
    auto calls = std::make_unique<CallService>(loop, settings_, handler_, gateway_, slow_);
    if (!media_) return calls;
    return std::make_unique<MediaService>(loop, handler_, *media_, std::move(calls));
  }

  // Reads the settings again. Where anything is wrong with them, all of the old ones stay.
  void change() {
    tell_service_manager("RELOADING=1");
    try {
      Loaded loaded = nexus::bridge::load_settings(argc_, argv_);
      const auto before = handler_.policy();
      const auto kept = keep_what_needs_restart(before->settings, loaded.settings);
      const Settings &fresh = loaded.settings;
      const auto policy = std::make_shared<Policy>(fresh, before.get());
      server_.use_tls(make_tls(fresh.server_tls_certificate, fresh.server_tls_key));
      handler_.follow(policy);
      const auto level = spdlog::level::from_str(fresh.log_level);
      server_.change([most = fresh.max_body, log = level <= spdlog::level::info](SessionOptions &options) {
        options.max_body = most;
        options.log_requests = log;
      });
      for (const auto &name : kept) spdlog::warn("{} has changed: that needs a restart", name);
      spdlog::info("settings read again");
      spdlog::set_level(level);
    } catch (const std::exception &error) {
      spdlog::error("the settings could not be read again, the old ones stay: {}", error.what());
    }
    tell_service_manager("READY=1");
  }

  void end() {
    spdlog::info("stopping");
    handler_.drain();
    server_.drain();
    const int limit = handler_.policy()->settings.shutdown_timeout;
    if (!server_.wait(std::chrono::seconds(limit))) {
      spdlog::warn("requests still run after {} s: they are cancelled", limit);
    }
    server_.stop();
    admin_.stop();
  }

  static SessionOptions admin_options(SessionOptions options) {
    options.max_connections = kAdminConnections;
    options.log_requests = false;
    return options;
  }

  const Settings settings_;
  const int argc_;
  const char *const *const argv_;
  const std::size_t loops_;
  Gateway gateway_;
  Handler handler_;
  SlowWorks slow_;
  const SessionOptions options_;
  std::unique_ptr<MediaStore> media_;
  Server server_;
  Plain plain_;
  Server admin_;
};

int say(const ConfigError &error) {
  for (const auto &fault : error.faults) std::cerr << "error: " << fault << '\n';
  return 1;
}

// What the command line asks for besides serving.
int show(const Loaded &loaded) {
  switch (loaded.action) {
    case Action::kHelp:
      std::cout << loaded.help;
      break;
    case Action::kDump:
      std::cout << nexus::bridge::dump_settings(loaded.settings);
      break;
    case Action::kDocument:
      std::cout << nexus::bridge::document_settings();
      break;
    case Action::kCheck:
    case Action::kServe:
      for (const auto &warning : loaded.warnings) std::cerr << "warning: " << warning << '\n';
      std::cout << "the configuration is sound\n";
  }
  return 0;
}

int serve(const Loaded &loaded, int argc, const char *const *argv) {
  const sigset_t signals = block_signals();
  start_log(loaded.settings.log_format == "json", loaded.settings.log_level);
  for (const auto &warning : loaded.warnings) spdlog::warn("{}", warning);
  try {
    return Bridge(loaded.settings, argc, argv).run(signals);
  } catch (const std::exception &error) {
    spdlog::error("the bridge ends: {}", error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char **argv) {
  try {
    const Loaded loaded = nexus::bridge::load_settings(argc, argv);
    return loaded.action == Action::kServe ? serve(loaded, argc, argv) : show(loaded);
  } catch (const ConfigError &error) {
    return say(error);
  }
}
