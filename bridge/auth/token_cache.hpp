#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "bridge/http/plan.hpp"

namespace nexus::bridge {

/// The claims of a token that bound it in time, in seconds since 1970.
struct TokenTimes {
  std::optional<double> expires, not_before, issued;
};

/// Tokens that were verified, found again by their SHA-256, the least used forgotten first. Signatures do not change,
/// but times do: whoever finds a token here still has to check its times. Thread safe.
class TokenCache {
 public:
  struct Entry {
    TokenTimes times;
    Identity identity;
  };

  explicit TokenCache(std::size_t most) : most_(most) {}

  std::optional<Entry> find(std::string_view token);
  void keep(std::string_view token, Entry entry);

 private:
  using List = std::list<std::pair<std::string, Entry>>;

  std::size_t most_;
  std::mutex mutex_;
  List entries_;  // the last used first
  std::unordered_map<std::string, List::iterator> places_;
};

}  // namespace nexus::bridge
