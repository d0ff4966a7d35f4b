#include "bridge/serve/admin.hpp"

#include <functional>

#include "bridge/auth/password.hpp"
#include "bridge/config/load.hpp"

namespace nexus::bridge::serve {

namespace {

void add_replicas(std::string &text, const Replicas &replicas) {
  const auto add = [&](const char *name, const char *help, const std::function<std::string(std::size_t)> &value) {
    const std::string full = std::string("nexus_bridge_replica_") + name;
    text += "# HELP " + full + ' ' + help + "\n# TYPE " + full + " gauge\n";
    for (std::size_t i = 0; i < replicas.size(); ++i) {
      text += full + "{replica=\"" + std::to_string(i + 1) + "\"} " + value(i) + '\n';
    }
  };
  add("up", "Whether the replica answers.", [&](std::size_t i) { return replicas.state(i).up ? "1" : "0"; });
  add("lag_seconds", "How far the replica is behind.",
      [&](std::size_t i) { return std::to_string(static_cast<double>(replicas.state(i).lag_ms) / 1000); });
}

std::string metrics_text(const Gateway &gateway, const net::Server &server) {
  const Gateway::Totals totals = gateway.totals();
  std::string text;
  auto add = [&text](const char *name, const char *type, const char *help, auto value) {
    const std::string full = std::string("nexus_bridge_") + name;
    text += "# HELP " + full + ' ' + help + "\n# TYPE " + full + ' ' + type + '\n' + full + ' ' +
            std::to_string(value) + '\n';
  };
  add("http_connections", "gauge", "Open connections of clients.", server.connections());
  add("http_connections_accepted_total", "counter", "Connections of clients so far.", server.accepted());
  add("transactions_total", "counter", "Transactions asked for.", totals.scripts);
  add("transactions_retried_total", "counter", "Transactions run again.", totals.retries);
  add("transactions_cancelled_total", "counter", "Transactions whose client left.", totals.cancelled);
  add("transactions_timed_out_total", "counter", "Transactions that found no connection in time.", totals.timed_out);
  add("transactions_rejected_total", "counter", "Transactions refused for a full queue.", totals.rejected);
  add("transactions_waiting", "gauge", "Transactions that wait for a connection.", totals.waiting);
  add("db_connections", "gauge", "Open connections to the database.", totals.open);
  add("db_connections_busy", "gauge", "Connections to the database at work.", totals.busy);
  add("db_connections_made_total", "counter", "Connections to the database so far.", totals.connections_made);
  add("db_connections_failed_total", "counter", "Connections to the database that failed.", totals.connections_failed);
  add("passwords_hashed_total", "counter", "Passwords hashed or checked.", passwords_hashed());
  const Replicas &replicas = gateway.replicas();
  if (replicas.size() == 0) return text;
  add("replica_transactions_total", "counter", "Transactions answered by a replica.", replicas.counters.served.load());
  add("replica_passed_over_total", "counter", "Readings for which no replica was up and far enough.",
      replicas.counters.refused.load());
  add("replica_failed_total", "counter", "Transactions that failed on a replica and went to the primary.",
      replicas.counters.failed.load());
  add("replica_db_connections", "gauge", "Open connections to replicas.", replicas.connections());
  add_replicas(text, replicas);
  return text;
}

}  // namespace

void add_admin_handlers(Plain &plain, const Handler &handler, const Gateway &gateway, const net::Server &server,
                        const std::string &proxy_name) {
  const auto health = [&handler](const httplib::Request &request, httplib::Response &response) {
    handler.health(request, response, request.path);
  };
  plain.Get("/live", health);
  plain.Get("/ready", health);
  plain.Get("/metrics", [&gateway, &server](const httplib::Request &, httplib::Response &response) {
    response.set_content(metrics_text(gateway, server), "text/plain; version=0.0.4; charset=utf-8");
  });
  plain.Get("/config", [&handler](const httplib::Request &, httplib::Response &response) {
    response.set_content(dump_settings(handler.policy()->settings), "application/toml; charset=utf-8");
  });
  plain.set_error_handler([proxy_name](const httplib::Request &, httplib::Response &response) {
    if (!response.body.empty()) return;
    write_error(HttpError(404, "PGRST125", "Invalid path specified in request URL"), proxy_name, response);
  });
}

}  // namespace nexus::bridge::serve
