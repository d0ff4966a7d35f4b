#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace nexus {

/// What the core throws when its input is at fault. The glue turns it into a PostgreSQL error with the same fields.
///
/// `sqlstate` is five characters: a standard class (22023 for a bad argument) or one of ours, for example NX010 for a
/// bad recurrence rule. The message starts in lower case and has no period; `detail` is a full sentence or JSON;
/// `hint` says what to do.
///
///     throw nexus::Error("NX010", "BYMONTHDAY must be between 1 and 31").hint("Use -1 for the last day.");
class Error : public std::exception {
 public:
  Error(const char *sqlstate, std::string message) : sqlstate_(sqlstate), message_(std::move(message)) {}

  Error &&detail(std::string text) && {
    detail_ = std::move(text);
    return std::move(*this);
  }
  Error &&hint(std::string text) && {
    hint_ = std::move(text);
    return std::move(*this);
  }

  const char *what() const noexcept override { return message_.c_str(); }
  const char *sqlstate() const noexcept { return sqlstate_; }
  const std::string &message() const noexcept { return message_; }
  const std::string &detail() const noexcept { return detail_; }
  const std::string &hint() const noexcept { return hint_; }

 private:
  const char *sqlstate_;
  std::string message_, detail_, hint_;
};

/// 22023: an argument outside what the function takes.
inline Error invalid_argument(std::string message) {
  return {"22023", std::move(message)};
}

}  // namespace nexus
