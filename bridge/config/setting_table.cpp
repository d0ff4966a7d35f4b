#include "bridge/config/setting_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <type_traits>

#include "bridge/http/choose.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr int kYear = 31536000;

struct NamedEnd {
  const char *name;
  TransactionEnd end;
};
constexpr std::array<NamedEnd, 4> kTransactionEnds{{{"commit", {false, false}},
                                                    {"commit-allow-override", {false, true}},
                                                    {"rollback", {true, false}},
                                                    {"rollback-allow-override", {true, true}}}};

// A secret may stand in a file of its own: "@file".
std::string secret_of(const std::string &text) {
  if (text.empty() || text[0] != '@') return text;
  std::ifstream file(text.substr(1), std::ios::binary);
  if (!file) throw SettingError("cannot read the file " + text.substr(1));
  std::string content{std::istreambuf_iterator<char>(file), {}};
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) content.pop_back();
  return content;
}

std::string text_of(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

template <typename T>
Setting member(const char *name, T Settings::*place, const char *help) {
  Setting setting;
  setting.name = name;
  setting.help = help;
  setting.copy = [place](const Settings &from, Settings &to) { to.*place = from.*place; };
  return setting;
}

Setting text(const char *name, std::string Settings::*place, const char *help) {
  Setting setting = member(name, place, help);
  setting.expects = "text";
  setting.set = [place](Settings &settings, const std::string &value) { settings.*place = value; };
  setting.get = [place](const Settings &settings) { return settings.*place; };
  return setting;
}

Setting secret(const char *name, std::string Settings::*place, const char *help) {
  Setting setting = text(name, place, help);
  setting.expects = "text, or @file";
  setting.secret = true;
  setting.set = [place](Settings &settings, const std::string &value) { settings.*place = secret_of(value); };
  return setting;
}

Setting choice(const char *name, std::string Settings::*place, const std::vector<std::string> &words,
               const char *help) {
  Setting setting = text(name, place, help);
  setting.expects = joined(words, " | ");
  setting.set = [place, words](Settings &settings, const std::string &value) {
    if (std::find(words.begin(), words.end(), value) == words.end()) {
      throw SettingError("expecting " + joined(words, " | "));
    }
    settings.*place = value;
  };
  return setting;
}

Setting list(const char *name, std::vector<std::string> Settings::*place, const char *help) {
  Setting setting = member(name, place, help);
  setting.kind = Setting::Kind::kList;
  setting.expects = "list";
  setting.set = [place](Settings &settings, const std::string &value) { settings.*place = split_trimmed(value, ','); };
  setting.get = [place](const Settings &settings) { return joined(settings.*place, ","); };
  return setting;
}

Setting boolean(const char *name, bool Settings::*place, const char *help) {
  Setting setting = member(name, place, help);
  setting.kind = Setting::Kind::kBool;
  setting.expects = "true | false";
  setting.set = [place](Settings &settings, const std::string &value) {
    const std::string word = lower_case(value);
    const bool yes = word == "true" || word == "on" || word == "yes" || word == "1";
    if (!yes && word != "false" && word != "off" && word != "no" && word != "0") {
      throw SettingError("expecting true or false");
    }
    settings.*place = yes;
  };
  setting.get = [place](const Settings &settings) { return std::string(settings.*place ? "true" : "false"); };
  return setting;
}

template <typename T>
Setting number(const char *name, T Settings::*place, long long least, long long most, const char *help) {
  constexpr bool kWhole = std::is_integral_v<T>;
  Setting setting = member(name, place, help);
  setting.kind = Setting::Kind::kNumber;
  setting.expects = std::to_string(least) + " to " + std::to_string(most);
  setting.set = [place, least, most, expects = setting.expects](Settings &settings, const std::string &value) {
    const char *start = value.c_str();
    char *end = nullptr;
    const double number = std::strtod(start, &end);
    const bool good = end != start && *end == '\0' && std::isfinite(number) && number >= static_cast<double>(least) &&
                      number <= static_cast<double>(most) && (!kWhole || whole_number(value));
    if (!good) throw SettingError(std::string("expecting a ") + (kWhole ? "whole " : "") + "number, " + expects);
    settings.*place = kWhole ? static_cast<T>(*whole_number(value)) : static_cast<T>(number);
  };
  setting.get = [place](const Settings &settings) {
    if constexpr (kWhole) {
      return std::to_string(settings.*place);
    } else {
      return text_of(settings.*place);
    }
  };
  return setting;
}

Setting transaction_end(const char *name, const char *help) {
  Setting setting = member(name, &Settings::db_tx_end, help);
  std::vector<std::string> words;
  words.reserve(kTransactionEnds.size());
  for (const auto &known : kTransactionEnds) words.emplace_back(known.name);
  setting.expects = joined(words, " | ");
  setting.set = [expects = setting.expects](Settings &settings, const std::string &value) {
    for (const auto &known : kTransactionEnds) {
      if (value != known.name) continue;
      settings.db_tx_end = known.end;
      return;
    }
    throw SettingError("expecting " + expects);
  };
  setting.get = [](const Settings &settings) {
    const TransactionEnd &end = settings.db_tx_end;
    for (const auto &known : kTransactionEnds) {
      if (known.end.rollback == end.rollback && known.end.client_chooses == end.client_chooses) {
        return std::string(known.name);
      }
    }
    return std::string();
  };
  return setting;
}

Setting reloading(Setting setting) {
  setting.reloads = true;
  return setting;
}

std::vector<Setting> database_settings() {
  using S = Settings;
  return {
      secret("db-uri", &S::db_uri, "libpq connection string of the bridge's login role"),
      list("db-schemas", &S::db_schemas, "exposed schemas, the first is the default"),
      reloading(list("db-extra-search-path", &S::db_extra_search_path, "schemas behind the exposed one")),
      reloading(text("db-anon-role", &S::db_anon_role, "role of requests without a token; empty: none are served")),
      reloading(text("db-pre-request", &S::db_pre_request, "function called before each call: schema.function")),
      text("db-pre-config", &S::db_pre_config, "function called before the schemas are read: schema.function"),
      boolean("db-prepared-statements", &S::db_prepared_statements, "false behind a pooler"),
      reloading(transaction_end("db-tx-end", "how a transaction ends, and whether Prefer: tx=... may choose")),
      number("db-pool", &S::db_pool, 1, 1000, "connections to the database"),
      number("db-pool-acquisition-timeout", &S::db_pool_acquisition_timeout, 1, 600,
             "seconds a request waits for a connection"),
      number("db-pool-max-waiting", &S::db_pool_max_waiting, 1, 100000, "requests of an event loop that may wait"),
      number("db-pool-max-lifetime", &S::db_pool_max_lifetime, 1, 86400, "seconds a connection is used"),
      number("db-pool-max-idletime", &S::db_pool_max_idletime, 1, 86400, "seconds an unused connection is kept"),
      number("db-pool-max-backoff", &S::db_pool_max_backoff, 100, 32000,
             "milliseconds between attempts to connect, at most"),
      number("db-connect-timeout", &S::db_connect_timeout, 1, 60, "seconds an attempt to connect may take"),
      reloading(number("db-statement-timeout", &S::db_statement_timeout, 1, 3600000,
                       "milliseconds a request may take in the database")),
      list("db-channels", &S::db_channels, "NOTIFY on one of them reloads the schema cache"),
      reloading(text("db-root-spec", &S::db_root_spec, "function that answers / instead of the OpenAPI document")),
      secret("db-replica-uris", &S::db_replica_uris,
             "libpq connection strings of streaming replicas, one a line: they serve calls that only read"),
      number("db-replica-pool", &S::db_replica_pool, 1, 1000, "connections to each replica"),
      number("db-replica-max-lag", &S::db_replica_max_lag, 1, 3600, "seconds a replica may be behind to be used"),
      text("events-table", &S::events_table, "table of GET /events: schema.table; empty: no events"),
      text("events-channel", &S::events_channel, R"(NOTIFY on it with {"user": ..., "id": ...} tells of a new row)"),
      number("events-heartbeat", &S::events_heartbeat, 1, 60,
             "seconds between signs of life of a stream, and between looks at whether its session still holds"),
  };
}

std::vector<Setting> caller_settings() {
  using S = Settings;
  return {
      reloading(secret("jwt-secret", &S::jwt_secret, "HS256 secret, JWK or JWK set")),
      reloading(boolean("jwt-secret-is-base64", &S::jwt_secret_is_base64, "the secret is written in base64")),
      reloading(text("jwt-aud", &S::jwt_aud, "audience that tokens must have")),
      reloading(
          text("jwt-role-claim-key", &S::jwt_role_claim_key, "where the role stands in the claims: .app.roles[0]")),
      reloading(number("jwt-cache-max-entries", &S::jwt_cache_max_entries, 0, 10000000,
                       "verified tokens that are remembered; 0: none")),
      reloading(secret("session-keys", &S::session_keys,
                       "lines of a key id and 32 bytes in base64: the first makes the tokens of /auth")),
      reloading(number("session-idle-timeout", &S::session_idle_timeout, 60, kYear, "seconds a session may be unused")),
      reloading(number("session-lifetime", &S::session_lifetime, 60, kYear,
                       "seconds after which a session ends in any case")),
      reloading(text("session-role", &S::session_role, "role of those who signed in")),
      reloading(text("session-worker-role", &S::session_worker_role, "role that looks up users and sessions")),
      reloading(secret("account-keys", &S::account_keys,
                       "the publisher's key file: lines of a key id and 32 bytes in base64; the first seals tokens")),
      reloading(text("oauth-redirect-uri", &S::oauth_redirect_uri,
                     "public address of /oauth/callback, as registered at the providers")),
      reloading(text("accounts-return-url", &S::accounts_return_url,
                     "where /oauth/callback sends the browser: ?account=ID or ?error=CODE; empty: it answers in JSON")),
      reloading(list("accounts-allow-network", &S::accounts_allow_network,
                     "private networks where providers may be, also without TLS: 127.0.0.0/8")),
      reloading(text("accounts-ca-file", &S::accounts_ca_file, "certificates to trust besides the system's (PEM)")),
      reloading(number("accounts-timeout", &S::accounts_timeout, 1, 60, "seconds of one request to a provider")),
      reloading(number("accounts-state-lifetime", &S::accounts_state_lifetime, 1, 3600,
                       "seconds until an authorization that was begun must be finished")),
      reloading(number("rate-limit-address", &S::rate_limit_address, 0, 1000000,
                       "requests per second of one address; 0: no limit")),
      reloading(number("rate-limit-address-burst", &S::rate_limit_address_burst, 1, 1000000,
                       "requests of one address at once")),
      reloading(
          number("rate-limit-user", &S::rate_limit_user, 0, 1000000, "requests per second of one user; 0: no limit")),
      reloading(number("rate-limit-user-burst", &S::rate_limit_user_burst, 1, 1000000, "requests of one user at once")),
      reloading(number("rate-limit-sign-in", &S::rate_limit_sign_in, 0, 1000000,
                       "requests per second of one address to /auth and /accounts; 0: no limit")),
      reloading(number("rate-limit-sign-in-burst", &S::rate_limit_sign_in_burst, 1, 1000000,
                       "requests of one address to /auth and /accounts at once")),
      reloading(list("trusted-proxies", &S::trusted_proxies, "addresses whose X-Forwarded-For names the client")),
  };
}

std::vector<Setting> server_settings() {
  using S = Settings;
  constexpr long long kGiB = 1LL << 30;
  return {
      text("server-host", &S::server_host, "address of the public port; * or *4: all of IPv4, *6: all"),
      number("server-port", &S::server_port, 0, 65535, "public port; 0: any free one"),
      boolean("reuse-port", &S::reuse_port, "listen beside another bridge on the same port"),
      reloading(text("server-tls-certificate", &S::server_tls_certificate,
                     "file of the certificate chain (PEM); empty: plain HTTP")),
      reloading(text("server-tls-key", &S::server_tls_key, "file of the private key (PEM)")),
      number("server-threads", &S::server_threads, 0, 64, "event loops; 0: one for each processor, at most four"),
      reloading(boolean("server-timing-enabled", &S::server_timing_enabled, "send Server-Timing")),
      reloading(text("server-trace-header", &S::server_trace_header, "a further request header that is sent back")),
      reloading(list("server-cors-allowed-origins", &S::server_cors_allowed_origins, "empty: every origin")),
      text("server-proxy-name", &S::server_proxy_name, "name in Proxy-Status"),
      reloading(text("url-prefix", &S::url_prefix, "path before /rpc, for example /rest/v1")),
      reloading(choice("openapi-mode", &S::openapi_mode, {"follow-privileges", "ignore-privileges", "disabled"},
                       "which functions the document shows")),
      text("media-store", &S::media_store,
           "directory or s3://BUCKET/PREFIX where uploaded media are; empty: no /files and /media"),
      text("media-s3-endpoint", &S::media_s3_endpoint, "https://HOST[:PORT] of the bucket; empty: that of AWS"),
      text("media-s3-region", &S::media_s3_region, "region of the bucket; empty: us-east-1"),
      reloading(number("media-max-upload", &S::media_max_upload, 1, 50 * kGiB, "bytes of one uploaded file")),
      reloading(number("media-max-receiving", &S::media_max_receiving, 1, 10000,
                       "uploads that are written to at a time; others are told to come again")),
      number("media-threads", &S::media_threads, 1, 64, "threads that read and write the store of media"),
      reloading(number("media-url-lifetime", &S::media_url_lifetime, 1, 604800,
                       "seconds that a signed address of a file may be good for at most")),
      text("admin-server-host", &S::admin_server_host, "address of the admin port"),
      number("admin-server-port", &S::admin_server_port, 0, 65535, "0: no admin port"),
      reloading(number("max-body", &S::max_body, 0, kGiB, "bytes of a request's body")),
      reloading(number("max-response", &S::max_response, 1, kGiB, "bytes of an answer, or of one row of a stream")),
      reloading(number("shutdown-timeout", &S::shutdown_timeout, 0, 3600, "seconds for requests in work")),
      reloading(
          choice("log-level", &S::log_level, {"debug", "info", "warn", "error"}, "info has a line for each request")),
      choice("log-format", &S::log_format, {"json", "text"}, "one JSON object or one text a line"),
  };
}

std::vector<Setting> all_settings() {
  std::vector<Setting> all = database_settings();
  for (auto part : {caller_settings(), server_settings()}) {
    all.insert(all.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  }
  return all;
}

}  // namespace

std::string Setting::variable() const {
  std::string text = "NEXUS_";
  for (const char c : name) text += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

const std::vector<Setting> &setting_table() {
  static const std::vector<Setting> table = all_settings();
  return table;
}

const Setting *find_setting(const std::string &name) {
  const auto &table = setting_table();
  const auto found = std::find_if(table.begin(), table.end(), [&](const Setting &one) { return one.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::optional<std::string> nearest_setting(const std::string &name) {
  std::vector<std::string> names;
  names.reserve(setting_table().size());
  for (const auto &setting : setting_table()) names.push_back(setting.name);
  return nearest(name, names);
}

std::string meant_setting(const std::string &name) {
  const auto near = nearest_setting(name);
  return near ? ", did you mean \"" + *near + "\"?" : "";
}

}  // namespace nexus::bridge
