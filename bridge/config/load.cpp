#include "bridge/config/load.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/system/system_error.hpp>

#include "bridge/auth/jwt.hpp"
#include "bridge/config/setting_table.hpp"
#include "bridge/http/text.hpp"
#include "bridge/net/tls.hpp"
#include "bridge/publisher/address_guard.hpp"
#include "bridge/publisher/seal.hpp"

namespace nexus::bridge {
namespace {

constexpr std::size_t kSlip = 2;  // letters
constexpr std::string_view kPrefix = "NEXUS_", kAppSettings = "NEXUS_APP_SETTINGS_",
                           kOAuthSecret = "NEXUS_OAUTH_SECRET_";

// The command line, before anything is known about the values.
struct CommandLine {
  Action action = Action::kServe;
  std::string file, help;
  std::map<std::string, std::string> flags;
};

// The arguments in the reverse order that CLI11 wants. One that is on or off may stand alone.
std::vector<std::string> arguments(int argc, const char *const *argv) {
  std::vector<std::string> all;
  for (int i = argc - 1; i > 0; --i) {
    std::string argument = argv[i];
    const Setting *setting = argument.compare(0, 2, "--") == 0 ? find_setting(argument.substr(2)) : nullptr;
    const bool alone = all.empty() || all.back().compare(0, 2, "--") == 0;
    if (setting != nullptr && setting->kind == Setting::Kind::kBool && alone) argument += "=true";
    all.push_back(std::move(argument));
  }
  return all;
}

CommandLine read_command_line(int argc, const char *const *argv) {
  CommandLine line;
  bool check = false, dump = false, document = false;
  CLI::App app("creatornexus-bridge: PostgreSQL functions over HTTP");
  app.footer(
      "Each setting may stand in the file (db-pool = 8), in the environment (NEXUS_DB_POOL=8) and among the flags;\n"
      "the last of these counts. SIGHUP reads them again, SIGUSR1 reads the schemas again.");
  app.allow_extras();
  app.add_option("--config", line.file, "file of settings (TOML)")->envname("NEXUS_CONFIG");
  app.add_flag("--check-config", check, "say whether the configuration is sound, and end");
  app.add_flag("--dump-config", dump, "show the settings that count, without secrets, and end");
  app.add_flag("--document-config", document, "write the reference of all settings, and end");
  const Settings defaults;
  std::map<std::string, std::string> given;
  for (const auto &setting : setting_table()) {
    auto *option = app.add_option(setting.flag(), given[setting.name], setting.help)->type_name(setting.expects);
    if (!setting.secret) option->default_str(setting.get(defaults));
  }
  try {
    app.parse(arguments(argc, argv));
  } catch (const CLI::CallForHelp &) {
    line.action = Action::kHelp;
    line.help = app.help();
    return line;
  } catch (const CLI::ParseError &error) {
    throw ConfigError({error.what()});
  }
  std::vector<std::string> faults;
  for (const auto &extra : app.remaining()) {
    const bool flag = extra.compare(0, 2, "--") == 0;
    const std::string name = flag ? extra.substr(2, extra.find('=') - 2) : extra;
    faults.push_back(flag ? "there is no flag --" + name + meant_setting(name) : "unexpected argument \"" + name + '"');
  }
  if (!faults.empty()) throw ConfigError(faults);
  for (const auto &setting : setting_table()) {
    const auto *option = app.get_option(setting.flag());
    if (option->count() == 0) continue;
    line.flags[setting.name] = given[setting.name];
  }
  if (check) line.action = Action::kCheck;
  if (dump) line.action = Action::kDump;
  if (document) line.action = Action::kDocument;
  return line;
}

class Loader {
 public:
  Loaded load(const CommandLine &line) {
    loaded_.action = line.action;
    loaded_.help = line.help;
    if (line.action == Action::kHelp || line.action == Action::kDocument) return std::move(loaded_);
    if (!line.file.empty()) take_file(line.file);
    take_environment();
    for (const auto &[name, value] : line.flags) set(*find_setting(name), value, "flag", "--" + name);
    if (faults_.empty()) check();
    if (!faults_.empty()) throw ConfigError(faults_);
    return std::move(loaded_);
  }

 private:
  void set(const Setting &setting, const std::string &value, const char *source, const std::string &place) {
    try {
      setting.set(loaded_.settings, value);
      loaded_.settings.sources[setting.name] = source;
    } catch (const SettingError &error) {
      faults_.push_back(place + ": " + error.what());
    }
  }

  void take_file(const std::string &path) {
    try {
      FileSettings file = read_config_file(path);
      const std::string in_file = path + ": ";
      for (const auto &[name, value] : file.values) set(*find_setting(name), value, "file", in_file + name);
      loaded_.settings.app_settings = std::move(file.app_settings);
    } catch (const ConfigError &error) {
      faults_.insert(faults_.end(), error.faults.begin(), error.faults.end());
    }
  }

  void take_environment() {
    std::map<std::string, const Setting *> by_variable;
    for (const auto &setting : setting_table()) by_variable[setting.variable()] = &setting;
    for (char **entry = environ; *entry != nullptr; ++entry) {
      const std::string text = *entry;
      const std::size_t equals = text.find('=');
      if (text.compare(0, kPrefix.size(), kPrefix) != 0 || equals == std::string::npos) continue;
      const std::string variable = text.substr(0, equals), value = text.substr(equals + 1);
      if (const auto found = by_variable.find(variable); found != by_variable.end()) {
        if (!value.empty()) set(*found->second, value, "environment", variable);
      } else if (variable.compare(0, kAppSettings.size(), kAppSettings) == 0) {
        set_app(lower_case(variable.substr(kAppSettings.size())), value);
      } else if (variable != "NEXUS_CONFIG" && variable.compare(0, kOAuthSecret.size(), kOAuthSecret) != 0) {
        warn_of(variable);
      }
    }
  }

  void set_app(const std::string &name, const std::string &value) {
    auto &all = loaded_.settings.app_settings;
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto &one) { return one.first == name; });
    if (found != all.end()) {
      found->second = value;
    } else {
      all.emplace_back(name, value);
    }
  }

  // Others may use the prefix as well, so that only what looks like a setting with a slip is worth a word.
  void warn_of(const std::string &variable) {
    std::string name = lower_case(variable.substr(kPrefix.size()));
    std::replace(name.begin(), name.end(), '_', '-');
    const auto meant = nearest_setting(name);
    if (!meant || std::max(meant->size(), name.size()) - std::min(meant->size(), name.size()) > kSlip) return;
    loaded_.warnings.push_back(variable + " in the environment is no setting" + meant_setting(name));
  }

  template <typename Check>
  void check(const char *name, Check what) {
    try {
      what();
    } catch (const std::exception &error) {
      faults_.push_back(std::string(name) + ": " + error.what());
    }
  }

  void check() {
    Settings &settings = loaded_.settings;
    if (settings.db_schemas.empty()) faults_.emplace_back("db-schemas: at least one schema is needed");
    check("jwt-secret", [&] {
      if (settings.jwt_secret.empty()) return;
      if (settings.jwt_secret_is_base64) {
        auto bytes = base64_decoded(settings.jwt_secret);
        if (!bytes) throw SettingError("it is not base64");
        settings.jwt_secret = *bytes;
      }
      parse_keys(settings.jwt_secret);
    });
    check("jwt-role-claim-key", [&] { ClaimPath{settings.jwt_role_claim_key}; });
    check("session-keys", [&] { SessionKeys{settings.session_keys}; });
    check("account-keys", [&] {
      if (!settings.account_keys.empty()) publisher::Sealer{settings.account_keys};
    });
    check("accounts-allow-network", [&] { publisher::AddressGuard{settings.accounts_allow_network}; });
    for (const auto &[name, value] : {std::pair("oauth-redirect-uri", &settings.oauth_redirect_uri),
                                      std::pair("accounts-return-url", &settings.accounts_return_url)}) {
      check(name, [url = value] {
        if (!url->empty() && !publisher::parse_url(*url)) throw SettingError("it is not an http(s) address");
      });
    }
    check("server-tls-certificate and server-tls-key cannot be used",
          [&] { net::make_tls(settings.server_tls_certificate, settings.server_tls_key); });
    if (settings.server_host == "*" || settings.server_host == "*4") settings.server_host = "0.0.0.0";
    if (settings.server_host == "*6") settings.server_host = "::";
  }

  Loaded loaded_;
  std::vector<std::string> faults_;
};

std::string toml_string(const std::string &text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') quoted += '\\';
    if (byte < 0x20 || byte == 0x7f) {
      quoted += std::string("\\u00") + kDigits[byte >> 4] + kDigits[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string toml_value(const Setting &setting, const Settings &settings) {
  std::string text = setting.get(settings);
  if (setting.kind == Setting::Kind::kText) return toml_string(text);
  if (setting.kind != Setting::Kind::kList) return text;
  std::vector<std::string> parts;
  for (const auto &part : split_trimmed(text, ',')) parts.push_back(toml_string(part));
  return "[" + joined(parts, ", ") + "]";
}

}  // namespace

Loaded load_settings(int argc, const char *const *argv) {
  return Loader().load(read_command_line(argc, argv));
}

std::string dump_settings(const Settings &settings) {
  std::string text;
  for (const auto &setting : setting_table()) {
    const auto source = settings.sources.find(setting.name);
    const std::string from = source == settings.sources.end() ? "default" : source->second;
    if (setting.secret) {
      text += "# " + setting.name + (from == "default" ? " is not set\n" : " is a secret  # " + from + "\n");
    } else {
      text += setting.name + " = " + toml_value(setting, settings) + "  # " + from + "\n";
    }
  }
  for (const auto &[name, value] : settings.app_settings) text += "# app.settings." + name + " is set\n";
  return text;
}

std::string document_settings() {
  const Settings defaults;
  std::string text =
      "# Settings of the bridge\n\n"
      "Written by `creatornexus-bridge --document-config`. A setting `db-pool` may stand in the file that `--config`\n"
      "names (`db-pool = 8`), in the environment (`NEXUS_DB_POOL=8`) and among the flags (`--db-pool 8`); flags count\n"
      "over the environment, that over the file. SIGHUP changes those marked so in a running bridge.\n\n"
      "| setting | what it is | values | default | SIGHUP |\n|---|---|---|---|---|\n";
  for (const auto &setting : setting_table()) {
    std::string expects = setting.expects;
    for (std::size_t at = 0; (at = expects.find(" | ", at)) != std::string::npos; at += 2) expects.replace(at, 3, ", ");
    const std::string value = setting.secret ? "" : setting.get(defaults);
    text += "| `" + setting.name + "` | " + setting.help + " | " + expects + " | " +
            (value.empty() ? "" : "`" + value + "`") + " | " + (setting.reloads ? "yes" : "") + " |\n";
  }
  return text +
         "\n`app.settings.NAME` (in the environment `NEXUS_APP_SETTINGS_NAME`) is what `current_setting` gives "
         "to functions by that\nname; SIGHUP changes it.\n";
}

std::vector<std::string> keep_what_needs_restart(const Settings &running, Settings &fresh) {
  std::vector<std::string> kept;
  const bool tls = running.server_tls_certificate.empty() == fresh.server_tls_certificate.empty();
  for (const auto &setting : setting_table()) {
    const bool changes = setting.reloads && (tls || setting.name.compare(0, 11, "server-tls-") != 0);
    if (changes) continue;
    if (setting.get(running) != setting.get(fresh)) kept.push_back(setting.name);
    setting.copy(running, fresh);
    const auto source = running.sources.find(setting.name);
    fresh.sources.erase(setting.name);
    if (source != running.sources.end()) fresh.sources.insert(*source);
  }
  return kept;
}

}  // namespace nexus::bridge
