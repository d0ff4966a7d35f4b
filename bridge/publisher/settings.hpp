#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace nexus::publisher {

/// The settings of the publisher; each can be given as --db-uri or in the environment.
struct Settings {
  std::string db_uri = "postgresql://";
  std::string db_role = "nexus_worker";
  std::string key_file;
  std::vector<std::string> lanes{"publish", "accounts"};
  int concurrency = 4;
  int metrics_concurrency = 1;  ///< 0: counters are not asked for
  std::string hook_host = "127.0.0.1";
  int hook_port = 0;  ///< 0: no counters are received
  std::chrono::milliseconds lease{30000};
  std::chrono::milliseconds timeout{20000};      ///< of one request to a platform
  std::chrono::milliseconds verify_after{5000};  ///< before a platform's "not there" counts
  std::vector<std::string> allow_networks;
  std::string ca_file;
  std::string media_store;  ///< a directory or s3://BUCKET/PREFIX; empty: uploaded files are not published
  std::string media_s3_endpoint, media_s3_region;
  std::size_t max_media_bytes = std::size_t{64} << 20;  ///< of one post
  int shutdown_timeout = 60;                            ///< seconds
  std::string worker;
  std::string log_level = "info";

  bool reseal = false;  ///< seal all tokens with the first key and end
  int reseal_batch = 100;
  bool seal = false;  ///< seal standard input and end
  std::string seal_platform, seal_account, seal_column = "access_token";
};

/// Reads flags and environment. `exit_code` is set when the process shall end.
Settings read_settings(int argc, char **argv, std::optional<int> &exit_code);

}  // namespace nexus::publisher
