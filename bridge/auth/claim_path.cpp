#include "bridge/auth/claim_path.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

std::invalid_argument wrong(std::string_view text) {
  return std::invalid_argument("expecting keys and places like .role or .app.\"the roles\"[0], not " +
                               std::string(text));
}

}  // namespace

ClaimPath::ClaimPath(std::string_view text) {
  for (std::string_view rest = text; !rest.empty() || steps_.empty();) {
    Step step;
    if (rest.substr(0, 2) == ".\"") {
      const std::size_t end = rest.find('"', 2);
      if (end == std::string_view::npos) throw wrong(text);
      step.key = std::string(rest.substr(2, end - 2));
      rest.remove_prefix(end + 1);
    } else if (!rest.empty() && rest.front() == '.') {
      const std::size_t end = std::min(rest.find_first_of(".[\"", 1), rest.size());
      step.key = std::string(rest.substr(1, end - 1));
      rest.remove_prefix(end);
    } else {
      const std::size_t end = rest.find(']');
      if (rest.empty() || rest.front() != '[' || end == std::string_view::npos) throw wrong(text);
      const auto index = whole_number(rest.substr(1, end - 1));
      if (!index || *index < 0) throw wrong(text);
      step.is_index = true;
      step.index = static_cast<std::size_t>(*index);
      rest.remove_prefix(end + 1);
    }
    if (!step.is_index && step.key.empty()) throw wrong(text);
    steps_.push_back(std::move(step));
  }
}

const nlohmann::json *ClaimPath::find(const nlohmann::json &claims) const {
  const nlohmann::json *at = &claims;
  for (const auto &step : steps_) {
    if (step.is_index) {
      if (!at->is_array() || step.index >= at->size()) return nullptr;
      at = &(*at)[step.index];
    } else {
      if (!at->is_object()) return nullptr;
      const auto found = at->find(step.key);
      if (found == at->end()) return nullptr;
      at = &*found;
    }
  }
  return at->is_null() ? nullptr : at;
}

}  // namespace nexus::bridge
