#include "bridge/pg/prepared.hpp"

#include <algorithm>

namespace nexus::bridge::pg {

PreparedStatements::Entry PreparedStatements::use(const Statement &statement) {
  // Parameters of other types make another statement.
  std::string key;
  key.reserve(statement.sql.size() + 1 + statement.parameters.size() * sizeof(Parameter::type));
  key.append(statement.sql).append(1, '\0');
  for (const auto &parameter : statement.parameters) {
    key.append(reinterpret_cast<const char *>(&parameter.type), sizeof parameter.type);
  }
  auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    used_.splice(used_.begin(), used_, found->second);
    return {found->second->name, true};
  }
  used_.push_front({key, "nexus_bridge_" + std::to_string(++made_)});
  by_key_.emplace(std::move(key), used_.begin());
  return {used_.front().name, false};
}

std::optional<std::string> PreparedStatements::evict() {
  if (used_.size() <= capacity_) return std::nullopt;
  std::string name = used_.back().name;
  by_key_.erase(used_.back().key);
  used_.pop_back();
  return name;
}

void PreparedStatements::forget(const std::string &name) {
  const auto found = std::find_if(used_.begin(), used_.end(), [&](const Item &item) { return item.name == name; });
  if (found == used_.end()) return;
  by_key_.erase(found->key);
  used_.erase(found);
}

void PreparedStatements::clear() {
  used_.clear();
  by_key_.clear();
}

}  // namespace nexus::bridge::pg
