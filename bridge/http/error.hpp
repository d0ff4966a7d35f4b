#pragma once

#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nexus::bridge {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// An answer that is an error: its HTTP status and the four members of the error object.
///
///     throw HttpError(404, "PGRST125", "Invalid path specified in request URL");
class HttpError : public std::exception {
 public:
  HttpError(int status, std::string code, std::string message)
      : status(status), code(std::move(code)), message(std::move(message)) {}

  HttpError &&with_details(std::string text) && {
    details = std::move(text);
    return std::move(*this);
  }
  HttpError &&with_hint(std::string text) && {
    hint = std::move(text);
    return std::move(*this);
  }
  HttpError &&with_header(std::string name, std::string value) && {
    headers.emplace_back(std::move(name), std::move(value));
    return std::move(*this);
  }

  const char *what() const noexcept override { return message.c_str(); }

  int status;
  std::string code, message;
  std::optional<std::string> details, hint;
  HeaderList headers;
};

/// Where in the transaction the database raised an error: the same SQLSTATE means different things there.
enum class Step { kBegin, kContext, kTimezone, kPreRequest, kCall, kCheck, kEnd };

/// An error that PostgreSQL reported, field by field.
struct DatabaseError : std::exception {
  std::string sqlstate, message;
  std::optional<std::string> detail, hint;
  Step step = Step::kCall;

  const char *what() const noexcept override { return message.c_str(); }
};

/// The body of an error answer: {"code","details","hint","message"}, compact, absent ones null.
std::string error_body(const HttpError &error);

/// The HTTP status of a SQLSTATE. `anonymous`: the request came without a token, so that a missing right is 401.
///
///     sqlstate_status("23505", false) == 409
int sqlstate_status(const std::string &sqlstate, bool anonymous);

/// The answer to an error of the database. Rows' contents never leave: the detail of a failed CHECK, NOT NULL or
/// WITH CHECK OPTION prints the whole row and is dropped. `RAISE SQLSTATE 'PTnnn'` and `'PGRST'` make their own answer.
HttpError from_database(const DatabaseError &error, bool anonymous);

/// The database cannot be reached or went away in the middle: 503 with Retry-After.
HttpError unavailable(std::string code, std::string message, std::optional<std::string> details = std::nullopt);

/// The answer is beyond max-response: 500 with what to do.
HttpError answer_too_large();

}  // namespace nexus::bridge
