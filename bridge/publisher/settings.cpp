#include "bridge/publisher/settings.hpp"

#include <CLI/CLI.hpp>

#include "bridge/publisher/process.hpp"

namespace nexus::publisher {

Settings read_settings(int argc, char **argv, std::optional<int> &exit_code) {
  Settings settings;
  settings.worker = process_name();
  double lease = 30, timeout = 20, verify_after = 5;
  CLI::App app{
      "Publishes what is due: claims jobs of the queue, sends them to the platforms, verifies what is uncertain; "
      "renews "
      "the tokens of accounts. The secret of OAuth provider NAME is read from NEXUS_OAUTH_SECRET_NAME."};
  app.option_defaults()->always_capture_default();
  app.add_option("--db-uri", settings.db_uri, "libpq's connection string")->envname("NEXUS_DB_URI");
  app.add_option("--db-role", settings.db_role, "role to take after connecting; empty: none")
      ->envname("NEXUS_PUBLISHER_DB_ROLE");
  app.add_option("--key-file", settings.key_file,
                 "lines of a key id and 32 bytes in base64, for sealed tokens; the first one seals")
      ->envname("NEXUS_PUBLISHER_KEY_FILE")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--lanes", settings.lanes, "lanes to claim from, in this order")
      ->delimiter(',')
      ->envname("NEXUS_PUBLISHER_LANES");
  app.add_option("--concurrency", settings.concurrency,
                 "posts that are sent at a time, each by a thread and connection of its own")
      ->envname("NEXUS_PUBLISHER_CONCURRENCY")
      ->check(CLI::Range(1, 64));
  app.add_option("--metrics-concurrency", settings.metrics_concurrency,
                 "requests for counters of published posts at a time, beside the posts; 0: they are not asked for")
      ->envname("NEXUS_PUBLISHER_METRICS_CONCURRENCY")
      ->check(CLI::Range(0, 64));
  app.add_option("--hook-host", settings.hook_host, "address that counters pushed by webhook receivers come in on")
      ->envname("NEXUS_PUBLISHER_HOOK_HOST");
  app.add_option("--hook-port", settings.hook_port,
                 "port for POST /hooks/metrics/ACCOUNT, plain HTTP behind your proxy; 0: none are received")
      ->envname("NEXUS_PUBLISHER_HOOK_PORT")
      ->check(CLI::Range(0, 65535));
  app.add_option("--lease", lease, "seconds until a silent publisher's posts are taken over; renewed by heartbeat")
      ->envname("NEXUS_PUBLISHER_LEASE")
      ->check(CLI::Range(2.0, 3600.0));
  app.add_option("--timeout", timeout, "seconds for one request to a platform")
      ->envname("NEXUS_PUBLISHER_TIMEOUT")
      ->check(CLI::Range(0.1, 600.0));
  app.add_option("--verify-after", verify_after,
                 "seconds that a platform has to show a post before it counts as absent")
      ->envname("NEXUS_PUBLISHER_VERIFY_AFTER")
      ->check(CLI::Range(0.0, 600.0));
  app.add_option("--allow-network", settings.allow_networks,
                 "private networks that may be connected to, also without TLS: 127.0.0.0/8")
      ->delimiter(',')
      ->envname("NEXUS_PUBLISHER_ALLOW_NETWORK");
  app.add_option("--ca-file", settings.ca_file, "certificates to trust besides the system's, in PEM")
      ->envname("NEXUS_PUBLISHER_CA_FILE");
  app.add_option("--media-store", settings.media_store,
                 "where uploaded files are, as the bridge has it: a directory, or s3://BUCKET/PREFIX with the "
                 "credentials of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
      ->envname("NEXUS_MEDIA_STORE");
  app.add_option("--media-s3-endpoint", settings.media_s3_endpoint)->envname("NEXUS_MEDIA_S3_ENDPOINT");
  app.add_option("--media-s3-region", settings.media_s3_region)->envname("NEXUS_MEDIA_S3_REGION");
  app.add_option("--max-media-bytes", settings.max_media_bytes, "of all media of one post")
      ->envname("NEXUS_PUBLISHER_MAX_MEDIA_BYTES");
  app.add_option("--shutdown-timeout", settings.shutdown_timeout,
                 "seconds that what is being sent may still take at the end")
      ->envname("NEXUS_PUBLISHER_SHUTDOWN_TIMEOUT")
      ->check(CLI::Range(0, 3600));
  app.add_option("--worker", settings.worker, "name of this process in the queue")->envname("NEXUS_PUBLISHER_WORKER");
  app.add_option("--log-level", settings.log_level)
      ->envname("NEXUS_LOG_LEVEL")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
  CLI::App *seal = app.add_subcommand("seal", "seal a token from standard input for one account, print it and end");
  seal->add_option("--platform", settings.seal_platform)->required();
  seal->add_option("--account", settings.seal_account, "social_accounts.account_id")->required();
  seal->add_option("--column", settings.seal_column)->check(CLI::IsMember({"access_token", "refresh_token"}));
  CLI::App *reseal = app.add_subcommand(
      "reseal", "seal the tokens of all accounts with the first key of the key file, and end; then old keys can go");
  reseal->add_option("--batch", settings.reseal_batch, "accounts that are read at a time")->check(CLI::Range(1, 10000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    exit_code = app.exit(error);
    return settings;
  }
  settings.seal = seal->parsed();
  settings.reseal = reseal->parsed();
  const auto milliseconds = [](double seconds) {
    return std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
  };
  settings.lease = milliseconds(lease);
  settings.timeout = milliseconds(timeout);
  settings.verify_after = milliseconds(verify_after);
  return settings;
}

}  // namespace nexus::publisher
