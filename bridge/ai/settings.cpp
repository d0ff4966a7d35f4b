#include "bridge/ai/settings.hpp"

#include <CLI/CLI.hpp>

#include "bridge/publisher/process.hpp"

namespace nexus::ai {

Settings read_settings(int argc, char **argv, std::optional<int> &exit_code) {
  Settings settings;
  settings.worker = publisher::process_name();
  double lease = 30, timeout = 120;
  CLI::App app{
      "Does AI tasks: claims them from the queue, asks the provider of their type (nexus.ai_providers), brings "
      "back what it says. The key of provider NAME is read from NEXUS_AI_KEY_NAME."};
  app.option_defaults()->always_capture_default();
  app.add_option("--db-uri", settings.db_uri, "libpq's connection string")->envname("NEXUS_DB_URI");
  app.add_option("--db-role", settings.db_role, "role to take after connecting; empty: none")
      ->envname("NEXUS_AI_DB_ROLE");
  app.add_option("--concurrency", settings.concurrency,
                 "tasks that are done at a time, each by a thread and connection of its own")
      ->envname("NEXUS_AI_CONCURRENCY")
      ->check(CLI::Range(1, 64));
  app.add_option("--lease", lease, "seconds until a silent worker's tasks are taken over; renewed by heartbeat")
      ->envname("NEXUS_AI_LEASE")
      ->check(CLI::Range(2.0, 3600.0));
  app.add_option("--timeout", timeout, "seconds for one request to a provider")
      ->envname("NEXUS_AI_TIMEOUT")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("--max-tokens", settings.max_tokens, "of one answer; a task's parameter max_tokens can ask for less")
      ->envname("NEXUS_AI_MAX_TOKENS")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--max-response-bytes", settings.max_response, "of one answer; longer ones are refused")
      ->envname("NEXUS_AI_MAX_RESPONSE_BYTES")
      ->check(CLI::Range(std::size_t{1024}, std::size_t{64} << 20));
  app.add_option("--allow-network", settings.allow_networks,
                 "private networks that may be connected to, also without TLS: 127.0.0.0/8")
      ->delimiter(',')
      ->envname("NEXUS_AI_ALLOW_NETWORK");
  app.add_option("--ca-file", settings.ca_file, "certificates to trust besides the system's, in PEM")
      ->envname("NEXUS_AI_CA_FILE");
  app.add_option("--shutdown-timeout", settings.shutdown_timeout,
                 "seconds that what is under way may still take at the end; after that it is given back")
      ->envname("NEXUS_AI_SHUTDOWN_TIMEOUT")
      ->check(CLI::Range(0, 3600));
  app.add_option("--worker", settings.worker, "name of this process in the queue")->envname("NEXUS_AI_WORKER");
  app.add_option("--log-level", settings.log_level)
      ->envname("NEXUS_LOG_LEVEL")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    exit_code = app.exit(error);
    return settings;
  }
  const auto milliseconds = [](double seconds) {
    return std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
  };
  settings.lease = milliseconds(lease);
  settings.timeout = milliseconds(timeout);
  return settings;
}

}  // namespace nexus::ai
