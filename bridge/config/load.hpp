#pragma once

#include <string>
#include <vector>

#include "bridge/config/config_file.hpp"
#include "bridge/config/settings.hpp"

namespace nexus::bridge {

/// What the command line wants done.
enum class Action {
  kServe,
  kCheck,     ///< --check-config: say whether the configuration is sound
  kDump,      ///< --dump-config: show the settings that count
  kDocument,  ///< --document-config: write the reference of all settings
  kHelp,      ///< --help
};

/// What was given, put together.
struct Loaded {
  Action action = Action::kServe;
  Settings settings;
  std::vector<std::string> warnings;  ///< names in the environment that look like a setting and are none
  std::string help;                   ///< of kHelp
};

/// Reads the settings: the file that --config or NEXUS_CONFIG names, over that the environment (an empty variable
/// counts as none), over that the flags. Files that settings name are read and checked as far as that goes without a
/// database. Throws ConfigError with all that is wrong.
///
///     NEXUS_DB_TX_END=rollback-allow-override creatornexus-bridge --config bridge.toml --server-port 3001
Loaded load_settings(int argc, const char *const *argv);

/// The settings as a configuration file, each with where it comes from; secrets are named and not shown.
std::string dump_settings(const Settings &settings);

/// The reference of all settings in Markdown.
std::string document_settings();

/// Makes `fresh` what a running bridge may change to: what needs a restart stays as in `running`. Gives the names of
/// what would have changed.
std::vector<std::string> keep_what_needs_restart(const Settings &running, Settings &fresh);

}  // namespace nexus::bridge
