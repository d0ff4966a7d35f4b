#pragma once

#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "bridge/http/plan.hpp"

namespace nexus::bridge::pg {

/// The prepared statements of one connection: those used last, at most a fixed number of them.
class PreparedStatements {
 public:
  explicit PreparedStatements(std::size_t capacity) : capacity_(capacity) {}

  struct Entry {
    std::string name;
    bool known = false;  ///< false: it must be prepared first
  };

  /// The name of a statement, which counts as used now.
  Entry use(const Statement &statement);

  /// A statement that has to go because there are too many; to be deallocated by the caller.
  std::optional<std::string> evict();

  /// The server does not have that one (any more).
  void forget(const std::string &name);
  void clear();

  std::size_t size() const { return by_key_.size(); }

 private:
  struct Item {
    std::string key, name;
  };
  std::size_t capacity_;
  std::uint64_t made_ = 0;
  std::list<Item> used_;  // the last used first
  std::unordered_map<std::string, std::list<Item>::iterator> by_key_;
};

}  // namespace nexus::bridge::pg
