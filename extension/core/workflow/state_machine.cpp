#include "core/workflow/state_machine.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace nexus::workflow {

namespace {

constexpr std::size_t kShownBytes = 40;

std::string join(const std::vector<std::string> &states) {
  std::string text;
  for (const std::string &state : states) text += (text.empty() ? "" : ", ") + state;
  return text;
}

/// A value as a message may show it: short, and cut between characters.
std::string shown(std::string_view value) {
  if (value.size() <= kShownBytes) return std::string(value);
  std::size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80) --end;
  return std::string(value.substr(0, end)) + "...";
}

bool contains(const std::vector<std::string> &states, std::string_view state) {
  return std::find(states.begin(), states.end(), state) != states.end();
}

}  // namespace

void StateMachine::allow(std::string_view from, std::string_view to) {
  next_[std::string(to)];
  next_[std::string(from)].emplace_back(to);
}

void StateMachine::allow_first(std::string_view state, bool is_default) {
  next_[std::string(state)];
  first_.emplace_back(state);
  if (is_default) default_state_ = state;
}

void StateMachine::check_known(std::string_view state) const {
  if (next_.find(state) != next_.end()) return;
  std::vector<std::string> all;
  for (const auto &[name, next] : next_) all.push_back(name);
  throw Error("23514", "\"" + shown(state) + "\" is not a state of " + name_).hint("It takes: " + join(all) + ".");
}

void StateMachine::check_first(std::string_view state) const {
  check_known(state);
  if (contains(first_, state)) return;
  throw Error("NX002", "illegal first state of " + name_ + ": " + std::string(state))
      .hint("A new row begins as: " + join(first_) + ".");
}

void StateMachine::check_change(std::string_view from, std::string_view to) const {
  if (from == to) return;
  check_known(to);
  auto found = next_.find(from);
  if (found != next_.end() && contains(found->second, to)) return;
  Error error("NX002", "illegal transition of " + name_ + " from " + shown(from) + " to " + std::string(to));
  if (found == next_.end() || found->second.empty())
    throw std::move(error).hint("The state " + shown(from) + " is final.");
  throw std::move(error).hint("From " + shown(from) + " it can go to: " + join(found->second) + ".");
}

}  // namespace nexus::workflow
