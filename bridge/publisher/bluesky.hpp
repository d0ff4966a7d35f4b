#pragma once

#include "bridge/publisher/adapter.hpp"

namespace nexus::publisher {

/// The record key of a post: a TID, 13 characters of 5 bits, of the due time and the idempotency key. The same post
/// gives the same key, however often it is sent.
std::string bluesky_record_key(const std::string &due_at, const std::string &idempotency_key);

/// Any PDS of the AT Protocol. The refresh token is the refreshJwt, or {"refresh": ..., "password": ...} with an app
/// password, from which a session is made where there is none.
class Bluesky : public Adapter {
 public:
  std::optional<Failure> validate(const Task &task) const override;
  std::string dialect() const override { return "bluesky"; }
  std::string remote_key(const Task &task) const override;
  bool renews_itself() const override { return true; }
  Sent send(Task &task, const Services &services) const override;
  Seen verify(Task &task, const Services &services) const override;
  Counts counters(Account &account, const std::vector<std::string> &remote_ids,
                  const Services &services) const override;
  std::optional<Failure> refresh(const Account &account, const Services &services, Tokens &tokens) const override;
};

}  // namespace nexus::publisher
