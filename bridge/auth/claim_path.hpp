#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::bridge {

/// Where in the claims the role stands, written as `.role`, `.app.roles[0]` or `."https://example.com/role"`.
class ClaimPath {
 public:
  /// Throws std::invalid_argument, which says what is expected.
  explicit ClaimPath(std::string_view text);

  /// The value there, or null.
  ///
  ///     *ClaimPath(".a.b[1]").find({{"a", {{"b", {1, 2}}}}}) == 2
  const nlohmann::json *find(const nlohmann::json &claims) const;

 private:
  struct Step {
    std::string key;  ///< of an object
    std::size_t index = 0;
    bool is_index = false;
  };
  std::vector<Step> steps_;
};

}  // namespace nexus::bridge
