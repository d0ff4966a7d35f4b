#pragma once

#include "bridge/http/handler.hpp"
#include "bridge/serve/plain.hpp"

namespace nexus::bridge::serve {

/// The handlers of the admin port: /live, /ready.
void add_admin_handlers(Plain &plain, const Handler &handler, const std::string &proxy_name);

}  // namespace nexus::bridge::serve
