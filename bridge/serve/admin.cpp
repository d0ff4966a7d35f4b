#include "bridge/serve/admin.hpp"

#include "bridge/auth/password.hpp"
#include "bridge/config/load.hpp"

namespace nexus::bridge::serve {

namespace {

std::string metrics_text(const Gateway::Totals &totals, const net::Server &server) {
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
    response.set_content(metrics_text(gateway.totals(), server), "text/plain; version=0.0.4; charset=utf-8");
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
