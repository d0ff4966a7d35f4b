#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::workflow {

/// The states of one column: which may come first, and which may follow which.
///
///     StateMachine status("content.status");
///     status.allow_first("draft", true);
///     status.allow("draft", "published");
///     status.check_first("draft");
///     status.check_change("published", "draft");   // NX002: illegal transition of content.status from published to
///     draft
class StateMachine {
 public:
  explicit StateMachine(std::string name) : name_(std::move(name)) {}

  /// `to` may follow `from`.
  void allow(std::string_view from, std::string_view to);
  /// A new row may begin in `state`; a row that names no state begins in the default one.
  void allow_first(std::string_view state, bool is_default);

  /// Throws NX002 unless `to` may follow `from` (a state may always follow itself), 23514 if `to` is no state at all.
  void check_change(std::string_view from, std::string_view to) const;
  /// Throws NX002 unless a new row may begin in `state`, 23514 if it is no state at all.
  void check_first(std::string_view state) const;
  /// Throws 23514 if `state` is no state of this machine.
  void check_known(std::string_view state) const;

  const std::string &name() const noexcept { return name_; }
  const std::string &default_state() const noexcept { return default_state_; }

 private:
  std::string name_;
  std::string default_state_;
  std::vector<std::string> first_;
  std::map<std::string, std::vector<std::string>, std::less<>> next_;  // every state has an entry, a final one is empty
};

}  // namespace nexus::workflow
