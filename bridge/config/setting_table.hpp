#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bridge/config/settings.hpp"

namespace nexus::bridge {

/// A value that a setting cannot have; what() says what it expects.
struct SettingError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One setting: `db-pool` in the file is NEXUS_DB_POOL in the environment and --db-pool among the flags. All three, the
/// help, the dump and the reference in docs/ are made from this.
struct Setting {
  enum class Kind { kText, kNumber, kBool, kList };

  std::string name, help;
  std::string expects;  ///< what a value looks like: "1 to 1000"
  Kind kind = Kind::kText;
  bool secret = false;   ///< never shown
  bool reloads = false;  ///< SIGHUP may change it; else it needs a restart

  std::function<void(Settings &, const std::string &)> set;  ///< from text; throws SettingError
  std::function<std::string(const Settings &)> get;          ///< as text; a list with commas
  std::function<void(const Settings &from, Settings &to)> copy;

  std::string flag() const { return "--" + name; }
  std::string variable() const;  ///< "NEXUS_DB_POOL"
};

/// All settings, in the order in which they are shown.
const std::vector<Setting> &setting_table();

/// The setting of that name, or null.
const Setting *find_setting(const std::string &name);

/// The setting whose name is like that one; nothing when none is.
std::optional<std::string> nearest_setting(const std::string &name);

/// The name of a setting that is meant by a wrong one: `, did you mean "db-pool"?`, or nothing.
///
///     meant_setting("db-pol") == ", did you mean \"db-pool\"?"
std::string meant_setting(const std::string &name);

}  // namespace nexus::bridge
