#include "bridge/serve/admin.hpp"

namespace nexus::bridge::serve {

void add_admin_handlers(Plain &plain, const Handler &handler, const std::string &proxy_name) {
  const auto health = [&handler](const httplib::Request &request, httplib::Response &response) {
    handler.health(request, response, request.path);
  };
  plain.Get("/live", health);
  plain.Get("/ready", health);
  plain.set_error_handler([proxy_name](const httplib::Request &, httplib::Response &response) {
    if (!response.body.empty()) return;
    write_error(HttpError(404, "PGRST125", "Invalid path specified in request URL"), proxy_name, response);
  });
}

}  // namespace nexus::bridge::serve
