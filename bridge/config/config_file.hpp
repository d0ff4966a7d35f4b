#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace nexus::bridge {

/// All that is wrong with a configuration, one sentence each, without any secret.
struct ConfigError : std::runtime_error {
  explicit ConfigError(std::vector<std::string> all);
  std::vector<std::string> faults;
};

/// What a file says: settings by name, as text.
struct FileSettings {
  std::map<std::string, std::string> values;
  std::vector<std::pair<std::string, std::string>> app_settings;
};

/// Reads TOML: a key for each setting by its name, of the setting's own type, and app.settings.NAME. Throws ConfigError
/// with every unknown key (and the name that may be meant), wrong type, and place of a syntax error.
///
///     read_config_text("db-pool = 4\ndb-schemas = ['api']\n", "bridge.toml").values["db-pool"] == "4"
FileSettings read_config_text(const std::string &text, const std::string &name);

/// The same of a file.
FileSettings read_config_file(const std::string &path);

}  // namespace nexus::bridge
