#pragma once

#include <string_view>

#include "bridge/publisher/adapter.hpp"

namespace nexus::publisher {

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 of "SECONDS.BODY", as the header X-Signature carries it.
std::string webhook_signature(std::string_view secret, long long seconds, std::string_view body);

/// Whether a signature header fits, and is not older or newer than `tolerance` seconds. Compares in constant time.
bool webhook_signature_fits(std::string_view secret, std::string_view header, std::string_view body, long long now,
                            long long tolerance);

/// A signed POST to the account's instance_url; its access token is the secret. What the receiver keeps is said in the
/// account's metadata: {"webhook": {"idempotent": true, "read_back": true}}.
class Webhook : public Adapter {
 public:
  std::optional<Failure> validate(const Task &task) const override;
  bool wants_media() const override { return false; }
  Sent send(Task &task, const Services &services) const override;
  Seen verify(Task &task, const Services &services) const override;
  std::optional<Failure> refresh(const Account &account, const Services &services, Tokens &tokens) const override;
};

}  // namespace nexus::publisher
