#pragma once

#include "bridge/http/handler.hpp"
#include "bridge/net/server.hpp"
#include "bridge/serve/gateway.hpp"
#include "bridge/serve/plain.hpp"

namespace nexus::bridge::serve {

/// The handlers of the admin port: /live, /ready, /metrics in the text format of Prometheus, and /config, the settings
/// that count, without secrets.
void add_admin_handlers(Plain &plain, const Handler &handler, const Gateway &gateway, const net::Server &server,
                        const std::string &proxy_name);

}  // namespace nexus::bridge::serve
