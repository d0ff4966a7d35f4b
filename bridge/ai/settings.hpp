#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace nexus::ai {

/// The settings of the worker; each can be given as --db-uri or in the environment. The providers stand in the database
/// (nexus.ai_providers), their keys in the environment alone.
struct Settings {
  std::string db_uri = "postgresql://";
  std::string db_role = "nexus_worker";
  int concurrency = 2;
  std::chrono::milliseconds lease{30000};
  std::chrono::milliseconds timeout{120000};  ///< of one request to a provider
  int max_tokens = 4096;                      ///< of one answer
  std::size_t max_response = std::size_t{4} << 20;
  std::vector<std::string> allow_networks;
  std::string ca_file;
  int shutdown_timeout = 60;  ///< seconds
  std::string worker;
  std::string log_level = "info";
};

/// Reads flags and environment. `exit_code` is set when the process shall end.
Settings read_settings(int argc, char **argv, std::optional<int> &exit_code);

}  // namespace nexus::ai
