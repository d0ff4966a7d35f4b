#include "bridge/config/settings.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>
#include <map>

#include "bridge/auth/jwt.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr std::string_view kAppSettings = "NEXUS_APP_SETTINGS_";

const std::map<std::string, TransactionEnd> kTransactionEnds{{"commit", {false, false}},
                                                             {"commit-allow-override", {false, true}},
                                                             {"rollback", {true, false}},
                                                             {"rollback-allow-override", {true, true}}};

// "db_uri" is --db-uri and NEXUS_DB_URI.
std::string flag_of(std::string name) {
  for (char &c : name) c = c == '_' ? '-' : c;
  return "--" + name;
}

std::string variable_of(std::string name) {
  for (char &c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return "NEXUS_" + name;
}

class Options {
 public:
  explicit Options(CLI::App &app) : app_(app) {}

  template <typename T>
  CLI::Option *add(const char *name, T &value, const char *help) {
    return app_.add_option(flag_of(name), value, help)->envname(variable_of(name))->capture_default_str();
  }

  // A comma list.
  void add_list(const char *name, std::vector<std::string> &value, const char *help) {
    auto *option = app_.add_option_function<std::string>(
        flag_of(name), [&value](const std::string &text) { value = split_trimmed(text, ','); }, help);
    option->envname(variable_of(name))->default_str(joined(value, ", "));
  }

  // A secret has no default to show, and "@file" stands for the file's content.
  void add_secret(const char *name, std::string &value, const char *help) {
    app_.add_option_function<std::string>(
            flag_of(name), [&value](const std::string &text) { value = read_secret(text); }, help)
        ->envname(variable_of(name));
  }

 private:
  static std::string read_secret(const std::string &text) {
    if (text.empty() || text[0] != '@') return text;
    std::ifstream file(text.substr(1), std::ios::binary);
    if (!file) throw CLI::ValidationError("cannot read the file " + text.substr(1));
    std::string content{std::istreambuf_iterator<char>(file), {}};
    while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) content.pop_back();
    return content;
  }

  CLI::App &app_;
};

void check_secret(Settings &settings) {
  std::string &secret = settings.jwt_secret;
  if (secret.empty()) return;
  if (settings.jwt_secret_is_base64) {
    auto bytes = base64_decoded(secret);
    if (!bytes) throw CLI::ValidationError("jwt-secret: it is not base64");
    secret = *bytes;
  }
  try {
    parse_keys(secret);
  } catch (const KeyError &error) {
    throw CLI::ValidationError(std::string("jwt-secret: ") + error.what());
  }
}

void check_role_claim(const std::string &path) {
  try {
    ClaimPath{path};
  } catch (const std::invalid_argument &error) {
    throw CLI::ValidationError(std::string("jwt-role-claim-key: ") + error.what());
  }
}

void check_session_keys(const std::string &text) {
  try {
    SessionKeys{text};
  } catch (const SessionKeyError &error) {
    throw CLI::ValidationError(std::string("session-keys: ") + error.what());
  }
}

void read_app_settings(Settings &settings) {
  for (char **entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (text.substr(0, kAppSettings.size()) != kAppSettings || equals == std::string_view::npos) continue;
    settings.app_settings.emplace_back(lower_case(text.substr(kAppSettings.size(), equals - kAppSettings.size())),
                                       text.substr(equals + 1));
  }
}

}  // namespace

Settings read_settings(int argc, char **argv, std::optional<int> &exit_code) {
  Settings settings;
  std::string transaction_end = "commit";
  CLI::App app("creatornexus-bridge: PostgreSQL functions over HTTP");
  Options options(app);
  options.add_secret("db_uri", settings.db_uri, "libpq connection string of the bridge's login role");
  options.add_list("db_schemas", settings.db_schemas, "exposed schemas, the first is the default");
  options.add_list("db_extra_search_path", settings.db_extra_search_path, "schemas behind the exposed one");
  options.add("db_anon_role", settings.db_anon_role, "role of requests without a token; empty: none are served");
  options.add("db_pre_request", settings.db_pre_request, "function called before each call: schema.function");
  options.add("db_pre_config", settings.db_pre_config, "function called before the schemas are read: schema.function");
  options.add("db_prepared_statements", settings.db_prepared_statements, "true | false: false behind a pooler");
  options.add("db_tx_end", transaction_end, "commit | commit-allow-override | rollback | rollback-allow-override");
  options.add("db_pool", settings.db_pool, "connections")->check(CLI::Range(1, 1000));
  options.add("db_pool_acquisition_timeout", settings.db_pool_acquisition_timeout, "seconds")
      ->check(CLI::Range(1, 600));
  options.add("db_pool_max_waiting", settings.db_pool_max_waiting, "requests that may wait")
      ->check(CLI::Range(0, 100000));
  options.add("db_pool_max_lifetime", settings.db_pool_max_lifetime, "seconds")->check(CLI::Range(1, 86400));
  options.add("db_pool_max_idletime", settings.db_pool_max_idletime, "seconds")->check(CLI::Range(1, 86400));
  options.add("db_pool_max_backoff", settings.db_pool_max_backoff, "milliseconds between attempts to connect, at most")
      ->check(CLI::Range(100, 32000));
  options.add("db_connect_timeout", settings.db_connect_timeout, "seconds")->check(CLI::Range(1, 60));
  options.add("db_statement_timeout", settings.db_statement_timeout, "milliseconds a request may take in the database")
      ->check(CLI::Range(1, 3600000));
  options.add_list("db_channels", settings.db_channels, "NOTIFY on one of them reloads the schema cache");
  options.add("events_table", settings.events_table, "table of GET /events: schema.table; empty: no events");
  options.add("events_channel", settings.events_channel, "NOTIFY on it with 'id user_id' tells of a new row");
  options.add_secret("jwt_secret", settings.jwt_secret, "HS256 secret, JWK or JWK set, or @file");
  options.add("jwt_secret_is_base64", settings.jwt_secret_is_base64, "true | false");
  options.add("jwt_aud", settings.jwt_aud, "audience that tokens must have");
  options.add("jwt_role_claim_key", settings.jwt_role_claim_key, "where the role stands in the claims: .app.roles[0]");
  options.add("jwt_cache_max_entries", settings.jwt_cache_max_entries, "verified tokens that are remembered; 0: none");
  options.add_secret("session_keys", settings.session_keys,
                     "@file with lines of a key id and 32 bytes in base64: the first makes the tokens of /auth");
  options.add("session_idle_timeout", settings.session_idle_timeout, "seconds a session may be unused")
      ->check(CLI::Range(60, 31536000));
  options.add("session_lifetime", settings.session_lifetime, "seconds after which a session ends in any case")
      ->check(CLI::Range(60, 31536000));
  options.add("session_role", settings.session_role, "role of those who signed in");
  options.add("session_worker_role", settings.session_worker_role, "role that looks up users and sessions");
  options.add("rate_limit_address", settings.rate_limit_address, "requests per second of one address; 0: no limit");
  options.add("rate_limit_address_burst", settings.rate_limit_address_burst, "requests of one address at once");
  options.add("rate_limit_user", settings.rate_limit_user, "requests per second of one user; 0: no limit");
  options.add("rate_limit_user_burst", settings.rate_limit_user_burst, "requests of one user at once");
  options.add("rate_limit_sign_in", settings.rate_limit_sign_in, "requests per second of one address to /auth");
  options.add("rate_limit_sign_in_burst", settings.rate_limit_sign_in_burst,
              "requests of one address to /auth at once");
  options.add_list("trusted_proxies", settings.trusted_proxies, "addresses whose X-Forwarded-For names the client");
  options.add("server_host", settings.server_host, "address of the public port");
  options.add("server_port", settings.server_port, "public port; 0: any free one")->check(CLI::Range(0, 65535));
  options.add("server_tls_certificate", settings.server_tls_certificate,
              "file of the certificate chain (PEM); empty: plain HTTP");
  options.add("server_tls_key", settings.server_tls_key, "file of the private key (PEM)");
  options.add("server_threads", settings.server_threads, "event loops; 0: one for every two processors, at most four")
      ->check(CLI::Range(0, 64));
  options.add("server_timing_enabled", settings.server_timing_enabled, "true | false: send Server-Timing");
  options.add("server_trace_header", settings.server_trace_header, "request header that is sent back");
  options.add_list("server_cors_allowed_origins", settings.server_cors_allowed_origins, "empty: every origin");
  options.add("server_proxy_name", settings.server_proxy_name, "name in Proxy-Status");
  options.add("url_prefix", settings.url_prefix, "path before /rpc, for example /rest/v1");
  options.add("admin_server_host", settings.admin_server_host, "address of the admin port");
  options.add("admin_server_port", settings.admin_server_port, "0: no admin port")->check(CLI::Range(0, 65535));
  options.add("max_body", settings.max_body, "bytes of a request's body");
  options.add("max_response", settings.max_response, "bytes of an answer");
  options.add("shutdown_timeout", settings.shutdown_timeout, "seconds for requests in work")
      ->check(CLI::Range(0, 3600));
  options.add("openapi_mode", settings.openapi_mode, "follow-privileges | ignore-privileges | disabled")
      ->check(CLI::IsMember({"follow-privileges", "ignore-privileges", "disabled"}));
  options.add("db_root_spec", settings.db_root_spec, "function that answers / instead of the OpenAPI document");
  options.add("log_level", settings.log_level, "debug | info | warn | error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  try {
    app.parse(argc, argv);
    auto found = kTransactionEnds.find(transaction_end);
    if (found == kTransactionEnds.end()) throw CLI::ValidationError("db-tx-end: unknown value " + transaction_end);
    settings.db_tx_end = found->second;
    if (settings.db_schemas.empty()) throw CLI::ValidationError("db-schemas: at least one schema is needed");
    check_secret(settings);
    check_role_claim(settings.jwt_role_claim_key);
    check_session_keys(settings.session_keys);
  } catch (const CLI::ParseError &error) {
    exit_code = app.exit(error);
  }
  if (settings.server_host == "*" || settings.server_host == "*4") settings.server_host = "0.0.0.0";
  if (settings.server_host == "*6") settings.server_host = "::";
  read_app_settings(settings);
  return settings;
}

}  // namespace nexus::bridge
