#pragma once

#include <memory>
#include <string>

#include "bridge/publisher/seal.hpp"
#include "bridge/publisher/settings.hpp"

namespace nexus::publisher {

/// Receives the counters that receivers of webhooks push: POST /hooks/metrics/ACCOUNT with
/// {"posts": [{"id", "captured_at", "views", ...}]}, signed with the account's secret as our own webhooks are
/// (X-Signature: t=SECONDS,v1=HMAC of "SECONDS.BODY"). The keys that open the secrets stay with this process.
class HookServer {
 public:
  /// Listens on hook_host:hook_port from a thread of its own. Throws std::runtime_error when the port is taken.
  HookServer(const Settings &settings, const Sealer &sealer);
  ~HookServer();
  HookServer(const HookServer &) = delete;
  HookServer &operator=(const HookServer &) = delete;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace nexus::publisher
