#pragma once

#include "bridge/publisher/adapter.hpp"

namespace nexus::publisher {

/// The text of a status' HTML: tags gone, paragraphs and breaks as line ends, character references undone.
std::string plain_text(const std::string &html);

/// Mastodon's API, version 1 (and 2 for media), as other servers of the fediverse speak it too.
class Mastodon : public Adapter {
 public:
  std::optional<Failure> validate(const Task &task) const override;
  std::string dialect() const override { return "mastodon"; }
  Sent send(Task &task, const Services &services) const override;
  Seen verify(Task &task, const Services &services) const override;
  Counts counters(Account &account, const std::vector<std::string> &remote_ids,
                  const Services &services) const override;
  std::optional<Failure> refresh(const Account &account, const Services &services, Tokens &tokens) const override;
};

}  // namespace nexus::publisher
