#pragma once

#include <string>

namespace nexus::bridge::serve {

/// Tells systemd (the socket that NOTIFY_SOCKET names, see sd_notify(3)) how the bridge does; nothing elsewhere.
///
///     tell_service_manager("READY=1");
void tell_service_manager(const std::string &state);

}  // namespace nexus::bridge::serve
