#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "bridge/media/store.hpp"

namespace nexus::media_worker {

/// What a probe may use, and what a file may ask for.
struct ProbeSettings {
  std::string program;                          ///< nexus-media-probe
  std::int64_t memory = std::int64_t{1} << 30;  ///< bytes of address space
  int cpu = 30;                                 ///< seconds, and one more for each 32 MiB of the file
  std::chrono::seconds timeout{120};            ///< and four more for each 32 MiB of the file
  std::int64_t max_pixels = 64'000'000;         ///< of an image
  double max_duration = 12 * 3600;              ///< seconds
  int thumbnail_side = 480;                     ///< pixels
};

/// The settings of the worker; each can be given as --db-uri or in the environment. Those of the store have the names
/// that they have for the bridge.
struct Settings {
  std::string db_uri = "postgresql://";
  std::string db_role = "nexus_worker";
  media::StoreSettings store;
  ProbeSettings probe;
  int concurrency = 1;
  std::chrono::milliseconds lease{30000};
  int shutdown_timeout = 60;  ///< seconds
  std::string worker;
  std::string log_level = "info";
};

/// Reads flags and environment. `exit_code` is set when the process shall end.
Settings read_settings(int argc, char **argv, std::optional<int> &exit_code);

}  // namespace nexus::media_worker
