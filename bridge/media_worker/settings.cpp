#include "bridge/media_worker/settings.hpp"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "bridge/publisher/process.hpp"

namespace nexus::media_worker {
namespace {

// The probe that was built with this program.
std::string probe_beside() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "nexus-media-probe" : (self.parent_path() / "nexus-media-probe").string();
}

}  // namespace

Settings read_settings(int argc, char **argv, std::optional<int> &exit_code) {
  Settings settings;
  settings.worker = publisher::process_name();
  settings.probe.program = probe_beside();
  double lease = 30;
  int timeout = 120;
  ProbeSettings &probe = settings.probe;
  CLI::App app{
      "Measures uploaded media: claims them from the queue, has each looked at by a nexus-media-probe in a process of "
      "its "
      "own, stores thumbnail and facts or the reason of a refusal, and removes from the store what nobody refers to. "
      "Credentials of a bucket come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."};
  app.option_defaults()->always_capture_default();
  app.add_option("--db-uri", settings.db_uri, "libpq's connection string")->envname("NEXUS_DB_URI");
  app.add_option("--db-role", settings.db_role, "role to take after connecting; empty: none")
      ->envname("NEXUS_MEDIA_DB_ROLE");
  app.add_option("--media-store", settings.store.place, "the bridge's: a directory or s3://BUCKET/PREFIX")
      ->envname("NEXUS_MEDIA_STORE")
      ->required();
  app.add_option("--media-s3-endpoint", settings.store.endpoint,
                 "https://HOST[:PORT] of the bucket; empty: that of AWS")
      ->envname("NEXUS_MEDIA_S3_ENDPOINT");
  app.add_option("--media-s3-region", settings.store.region, "region of the bucket; empty: us-east-1")
      ->envname("NEXUS_MEDIA_S3_REGION");
  app.add_option("--temporary", settings.store.temporary,
                 "directory for copies of a bucket's objects while they are measured")
      ->envname("NEXUS_MEDIA_TEMPORARY");
  app.add_option("--concurrency", settings.concurrency, "files that are measured at a time")
      ->envname("NEXUS_MEDIA_CONCURRENCY")
      ->check(CLI::Range(1, 64));
  app.add_option("--lease", lease, "seconds until a silent worker's files are taken over; renewed by heartbeat")
      ->envname("NEXUS_MEDIA_LEASE")
      ->check(CLI::Range(2.0, 3600.0));
  app.add_option("--probe", probe.program, "the program that measures a file")->envname("NEXUS_MEDIA_PROBE");
  app.add_option("--probe-memory", probe.memory, "bytes of address space that a probe may use")
      ->envname("NEXUS_MEDIA_PROBE_MEMORY")
      ->check(CLI::Range(std::int64_t{256} << 20, std::int64_t{1} << 40));
  app.add_option("--probe-cpu", probe.cpu,
                 "seconds of processor time of a probe, and one more for each 32 MiB of its file")
      ->envname("NEXUS_MEDIA_PROBE_CPU")
      ->check(CLI::Range(1, 3600));
  app.add_option("--probe-timeout", timeout, "seconds that a probe may take, and four more for each 32 MiB of its file")
      ->envname("NEXUS_MEDIA_PROBE_TIMEOUT")
      ->check(CLI::Range(1, 3600));
  app.add_option("--max-pixels", probe.max_pixels, "of an image; larger ones are refused before they are decoded")
      ->envname("NEXUS_MEDIA_MAX_PIXELS")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
  app.add_option("--max-duration", probe.max_duration, "seconds of a video or audio; longer ones are refused")
      ->envname("NEXUS_MEDIA_MAX_DURATION")
      ->check(CLI::Range(1.0, 1e6));
  app.add_option("--thumbnail-side", probe.thumbnail_side, "pixels of a thumbnail's longer side")
      ->envname("NEXUS_MEDIA_THUMBNAIL_SIDE")
      ->check(CLI::Range(16, 4096));
  app.add_option("--shutdown-timeout", settings.shutdown_timeout,
                 "seconds that what is under way may still take at the end; after that it is given back")
      ->envname("NEXUS_MEDIA_SHUTDOWN_TIMEOUT")
      ->check(CLI::Range(0, 3600));
  app.add_option("--worker", settings.worker, "name of this process in the queue")->envname("NEXUS_MEDIA_WORKER");
  app.add_option("--log-level", settings.log_level)
      ->envname("NEXUS_LOG_LEVEL")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    exit_code = app.exit(error);
    return settings;
  }
  settings.lease = std::chrono::milliseconds(static_cast<long long>(lease * 1000));
  probe.timeout = std::chrono::seconds(timeout);
  settings.store = media::with_environment(settings.store);
  return settings;
}

}  // namespace nexus::media_worker
