#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>

#include "bridge/media/store.hpp"
#include "bridge/publisher/bluesky.hpp"
#include "bridge/publisher/hook_server.hpp"
#include "bridge/publisher/mastodon.hpp"
#include "bridge/publisher/process.hpp"
#include "bridge/publisher/publication.hpp"
#include "bridge/publisher/reseal.hpp"
#include "bridge/publisher/webhook.hpp"
#include "bridge/publisher/worker.hpp"

namespace {

using namespace nexus::publisher;

constexpr std::uint64_t kPiece = std::uint64_t{4} << 20;  // that a store is asked for at a time

std::string file_text(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("the key file cannot be read: " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

int seal(const Settings &settings, const Sealer &sealer) {
  std::string token(std::istreambuf_iterator<char>(std::cin), {});
  while (!token.empty() && token.back() == '\n') token.pop_back();
  if (token.empty()) throw std::runtime_error("there is nothing to seal on standard input");
  const auto context = Sealer::token_context(settings.seal_platform, settings.seal_account, settings.seal_column);
  std::cout << sealer.seal(token, context) << '\n';
  return 0;
}

int reseal(const Settings &settings, const Sealer &sealer) {
  Database database(settings.db_uri, settings.db_role, "nexus-publisher reseal");
  database.open();
  const Resealed done = nexus::publisher::reseal(database, sealer, settings.reseal_batch);
  std::cout << done.accounts << " accounts sealed with key " << sealer.key_id() << ", " << done.unopened
            << " could not be opened\n";
  for (const Row &row : database.run("SELECT key_id, place, sealed FROM nexus.sealing_keys()")) {
    std::cout << row.at(0).value_or("") << ' ' << row.at(1).value_or("") << ' ' << row.at(2).value_or("") << '\n';
  }
  return done.unopened == 0 ? 0 : 1;
}

// Reads what users have uploaded; nothing where this publisher was not told of a store.
Tools::ReadStored stored_media(const Settings &settings) {
  if (settings.media_store.empty()) return {};
  nexus::media::StoreSettings place;
  place.place = settings.media_store;
  place.endpoint = settings.media_s3_endpoint;
  place.region = settings.media_s3_region;
  const std::shared_ptr<nexus::media::Store> store = nexus::media::open_store(nexus::media::with_environment(place));
  return [store](const std::string &key, std::size_t max_bytes) -> std::optional<std::string> {
    const auto size = store->size(key);
    if (!size) return std::nullopt;
    if (*size > max_bytes) throw std::length_error("it is larger than --max-media-bytes allows for one post");
    std::string bytes;
    while (bytes.size() < *size) {
      std::string piece = store->read(key, bytes.size(), std::min(kPiece, *size - bytes.size()));
      if (piece.empty()) throw std::runtime_error("it ends early");
      bytes += piece;
    }
    return bytes;
  };
}

int run(const Settings &settings) {
  const Sealer sealer(file_text(settings.key_file));
  if (settings.seal) return seal(settings, sealer);
  if (settings.reseal) return reseal(settings, sealer);
  const sigset_t signals = block_end_signals();
  const HttpClient http(AddressGuard(settings.allow_networks), settings.ca_file);
  std::map<std::string, std::unique_ptr<Adapter>> adapters;
  adapters.emplace("bluesky", std::make_unique<Bluesky>());
  adapters.emplace("mastodon", std::make_unique<Mastodon>());
  adapters.emplace("webhook", std::make_unique<Webhook>());
  Memory memory;
  const Tools tools{settings, http, sealer, adapters, memory, stored_media(settings)};
  Worker worker({"nexus-publisher",
                 settings.db_uri,
                 settings.db_role,
                 settings.worker,
                 settings.lanes,
                 {"publish", "token_refresh"},
                 settings.concurrency,
                 settings.lease},
                [&tools](Database &database, Job &job, bool again) { Publication(database, tools, job).run(again); });
  // Counters never keep a post waiting: they have threads of their own.
  std::unique_ptr<Worker> metrics;
  if (settings.metrics_concurrency > 0) {
    metrics = std::make_unique<Worker>(
        WorkerSettings{"nexus-publisher metrics",
                       settings.db_uri,
                       settings.db_role,
                       settings.worker,
                       {"metrics"},
                       {"metrics_pull"},
                       settings.metrics_concurrency,
                       settings.lease},
        [&tools](Database &database, Job &job, bool again) { Publication(database, tools, job).run(again); });
  }
  std::optional<HookServer> hooks;
  if (settings.hook_port > 0) hooks.emplace(settings, sealer);
  worker.start();
  if (metrics) metrics->start();
  int number = 0;
  sigwait(&signals, &number);
  spdlog::info("stopping");
  hooks.reset();
  if (metrics) metrics->drain();
  worker.drain();
  const bool ended = worker.wait(std::chrono::seconds(settings.shutdown_timeout));
  if (metrics) metrics->wait(std::chrono::seconds(0));  // a request for counters is made again by the next one
  if (!ended) {
    spdlog::warn("posts are still being sent after {} s: the next publisher verifies them", settings.shutdown_timeout);
    spdlog::shutdown();
    _exit(1);
  }
  spdlog::info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  std::optional<int> exit_code;
  const Settings settings = read_settings(argc, argv, exit_code);
  if (exit_code) return *exit_code;
  std::signal(SIGPIPE, SIG_IGN);
  log_to_stderr("publisher", settings.log_level);
  try {
    return run(settings);
  } catch (const std::exception &error) {
    spdlog::error("the publisher ends: {}", error.what());
    return 1;
  }
}
