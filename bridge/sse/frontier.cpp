#include "bridge/sse/frontier.hpp"

#include <iterator>

namespace nexus::bridge::sse {

std::vector<Frontier::Step> Frontier::read(const std::vector<std::int64_t> &ids, std::uint64_t snapshot_xmin,
                                           std::uint64_t snapshot_xmax, bool patient, bool complete) {
  std::vector<Step> steps;
  bool settled = true;
  std::set<std::int64_t> visible;
  for (const std::int64_t id : ids) {
    if (id <= settled_) continue;
    visible.insert(id);
    const std::uint64_t before = seen_.try_emplace(id, snapshot_xmax).first->second;
    // All transactions that were running when it was first seen have ended, and what they brought is in this reading.
    settled = settled && snapshot_xmin >= before;
    const bool fresh = sent_.count(id) == 0;
    if (settled || (fresh && !patient)) steps.push_back({id, fresh, settled});
    if (settled) {
      settled_ = id;
    } else if (!patient) {
      sent_.insert(id);
    }
  }
  for (auto it = seen_.begin(); it != seen_.end();) {
    // What is settled is done with; what is gone again was deleted.
    const bool read = complete || (!ids.empty() && it->first <= ids.back());
    const bool done = it->first <= settled_ || (read && visible.count(it->first) == 0);
    if (done) sent_.erase(it->first);
    it = done ? seen_.erase(it) : std::next(it);
  }
  return steps;
}

void Frontier::skip(const std::vector<std::int64_t> &ids, std::uint64_t snapshot_xmax) {
  for (const std::int64_t id : ids) {
    seen_.try_emplace(id, snapshot_xmax);
    sent_.insert(id);
  }
}

}  // namespace nexus::bridge::sse
