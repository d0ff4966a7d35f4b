#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nexus::bridge {

/// How a transaction ends, and whether `Prefer: tx=...` may choose.
struct TransactionEnd {
  bool rollback = false;
  bool client_chooses = false;
};

/// The settings of the bridge. Names are PostgREST's; setting_table() says how each is given, and what it may be.
struct Settings {
  std::string db_uri = "postgresql://";
  std::vector<std::string> db_schemas{"nexus"};
  std::vector<std::string> db_extra_search_path{"public"};
  std::string db_anon_role;
  std::string db_pre_request;  ///< schema.function
  std::string db_pre_config;   ///< schema.function
  bool db_prepared_statements = true;
  TransactionEnd db_tx_end;
  int db_pool = 8;
  int db_pool_acquisition_timeout = 10;  ///< seconds
  int db_pool_max_waiting = 1000;
  int db_pool_max_lifetime = 1800;                    ///< seconds
  int db_pool_max_idletime = 30;                      ///< seconds
  int db_connect_timeout = 2;                         ///< seconds
  int db_pool_max_backoff = 1000;                     ///< milliseconds
  int db_statement_timeout = 30000;                   ///< milliseconds
  std::string events_table = "public.notifications";  ///< of GET /events; empty: there are none
  std::string events_channel = "nexus_notifications";
  int events_heartbeat = 15;  ///< seconds between signs of life of a stream
  std::vector<std::string> db_channels{"pgrst", "nexus"};
  std::string db_replica_uris;  ///< lines of connection strings; empty: there are no replicas
  int db_replica_pool = 8;      ///< connections to each
  int db_replica_max_lag = 10;  ///< seconds

  std::string jwt_secret;  ///< a secret, a JWK or a JWK set
  bool jwt_secret_is_base64 = false;
  std::string jwt_aud;
  std::string jwt_role_claim_key = ".role";
  std::size_t jwt_cache_max_entries = 1000;

  std::string session_keys;           ///< lines of a key id and 32 bytes in base64; empty: no /auth
  int session_idle_timeout = 604800;  ///< seconds
  int session_lifetime = 2592000;     ///< seconds
  std::string session_role = "nexus_app";
  std::string session_worker_role = "nexus_worker";  ///< looks sessions up

  std::string account_keys;         ///< the key file of the publisher; empty: no /accounts
  std::string oauth_redirect_uri;   ///< where providers send browsers back to: the public address of /oauth/callback
  std::string accounts_return_url;  ///< where the callback sends the browser; empty: it answers with JSON
  std::vector<std::string> accounts_allow_network;  ///< private networks where providers may be
  std::string accounts_ca_file;                     ///< certificates to trust besides the system's
  int accounts_timeout = 10;                        ///< seconds of one request to a provider
  int accounts_state_lifetime = 600;                ///< seconds that an authorization may take

  double rate_limit_address = 0;         ///< requests per second of one address in the long run; 0: no limit
  double rate_limit_address_burst = 50;  ///< at once
  double rate_limit_user = 0;
  double rate_limit_user_burst = 50;
  double rate_limit_sign_in = 0.5;  ///< /auth of one address
  double rate_limit_sign_in_burst = 20;
  std::vector<std::string> trusted_proxies;  ///< addresses whose X-Forwarded-For counts

  std::string server_host = "127.0.0.1";
  int server_port = 3000;
  bool reuse_port = false;             ///< another bridge may have the port as well
  std::string server_tls_certificate;  ///< file with the chain in PEM; empty: plain HTTP
  std::string server_tls_key;          ///< file with the private key in PEM
  int server_threads = 0;              ///< event loops; 0: one for each processor, at most four
  bool server_timing_enabled = false;
  std::string server_trace_header;
  std::vector<std::string> server_cors_allowed_origins;
  std::string server_proxy_name = "PostgREST";  ///< of the Proxy-Status header
  std::string url_prefix;
  std::string media_store;                              ///< a directory or s3://BUCKET/PREFIX; empty: no /files
  std::string media_s3_endpoint;                        ///< empty: that of AWS
  std::string media_s3_region;                          ///< empty: us-east-1
  std::size_t media_max_upload = std::size_t{2} << 30;  ///< bytes of one file
  int media_max_receiving = 64;                         ///< uploads that are written to at a time
  int media_threads = 4;                                ///< that read and write the store
  int media_url_lifetime = 3600;                        ///< seconds that a signed address may be asked for
  std::string admin_server_host = "127.0.0.1";
  int admin_server_port = 0;  ///< 0: no admin port
  std::size_t max_body = std::size_t{1} << 20;
  std::size_t max_response = std::size_t{64} << 20;
  int shutdown_timeout = 30;  ///< seconds
  std::string openapi_mode = "follow-privileges";
  std::string db_root_spec;  ///< schema.function
  std::string log_level = "info";
  std::string log_format = "json";

  std::vector<std::pair<std::string, std::string>> app_settings;  ///< app.settings.* by name

  std::map<std::string, std::string> sources;  ///< where a setting was given: "file", "environment", "flag"
};

}  // namespace nexus::bridge
