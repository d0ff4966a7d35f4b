#include "bridge/auth/auth_flow.hpp"

#include <httplib.h>
#include <sodium.h>

#include "bridge/auth/password.hpp"
#include "bridge/http/error.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

using nlohmann::json;

constexpr std::size_t kShortestPassword = 8, kLongestPassword = 1024, kLongestText = 254;

HttpError bad_body(const std::string &message) {
  return {400, "PGRST102", message};
}

std::string text_member(const json &body, const char *name, bool required) {
  const auto found = body.find(name);
  if (found == body.end() || found->is_null()) {
    if (required) throw bad_body(std::string("The member ") + name + " is missing");
    return "";
  }
  if (!found->is_string()) throw bad_body(std::string("The member ") + name + " must be a string");
  std::string text = found->get<std::string>();
  if (text.find('\0') != std::string::npos)
    throw bad_body(std::string("The member ") + name + " holds a NUL character");
  return text;
}

json body_of(const httplib::Request &request) {
  if (trimmed(request.body).empty()) return json::object();
  const auto body = parse_json(request.body);
  if (!body || !body->is_object()) throw bad_body("Empty or invalid json");
  return *body;
}

std::string bearer_of(const httplib::Request &request) {
  const std::string header(trimmed(request.get_header_value("Authorization")));
  const std::size_t blank = header.find(' ');
  if (blank == std::string::npos || lower_case(header.substr(0, blank)) != "bearer") return "";
  return std::string(trimmed(std::string_view(header).substr(blank)));
}

HttpError no_session() {
  return HttpError(401, "PGRST303", "The session is unknown or has ended")
      .with_header("WWW-Authenticate",
                   "Bearer error=\"invalid_token\", error_description=\"The session is unknown or has ended\"");
}

std::string seconds(int count) {
  return std::to_string(count) + " seconds";
}

}  // namespace

AuthFlow::AuthFlow(const Settings &settings, const SessionKeys &keys, CataloguePtr catalogue,
                   const httplib::Request &request, const std::string &action)
    : settings_(settings), keys_(keys), request_(request) {
  if (keys.empty() || (action != "sign-up" && action != "sign-in" && action != "sign-out" && action != "refresh")) {
    throw HttpError(404, "PGRST125", "Invalid path specified in request URL");
  }
  if (request.method != "POST") {
    throw HttpError(405, "PGRST101", "Cannot use the " + request.method + " method on /auth")
        .with_header("Allow", "POST");
  }
  query_.catalogue = std::move(catalogue);
  if (action == "sign-up" || action == "sign-in") {
    action_ = action == "sign-up" ? Action::kSignUp : Action::kSignIn;
    read_credentials();
    return;
  }
  action_ = action == "refresh" ? Action::kRefresh : Action::kSignOut;
  const std::string id = keys_.id_of(bearer_of(request));
  if (id.empty()) throw no_session();
  if (action_ == Action::kRefresh) {
    session_ = keys_.make();
    ask("SELECT pg_catalog.row_to_json(r) FROM nexus.rotate_session($1, $2) r", {id, session_.id});
  } else {
    const json body = body_of(request);
    const auto all = body.find("all");
    if (all != body.end() && !all->is_boolean()) throw bad_body("The member all must be true or false");
    const bool everywhere = all != body.end() && all->get<bool>();
    ask(everywhere ? "SELECT '{}' FROM nexus.end_sessions($1)" : "SELECT '{}' FROM nexus.end_session($1)", {id});
  }
}

void AuthFlow::read_credentials() {
  const json body = body_of(request_);
  email_ = text_member(body, "email", true);
  password_ = text_member(body, "password", true);
  if (email_.size() > kLongestText) throw bad_body("The e-mail address is too long");
  if (password_.size() > kLongestPassword) throw bad_body("The password is longer than 1024 bytes");
  if (action_ == Action::kSignIn) {
    ask("SELECT coalesce((SELECT pg_catalog.row_to_json(u) FROM nexus.sign_in_user($1) u), '{}')", {email_});
    query_.read_only = true;
    user_asked_ = true;
    return;
  }
  if (password_.size() < kShortestPassword) {
    throw HttpError(422, "NX001", "The password is shorter than 8 bytes").with_hint("Choose a longer one.");
  }
  first_name_ = text_member(body, "first_name", false);
  last_name_ = text_member(body, "last_name", false);
  if (first_name_.size() > kLongestText || last_name_.size() > kLongestText) throw bad_body("A name is too long");
  wait_ = Wait::kPassword;
}

void AuthFlow::ask(const std::string &expression, std::vector<std::string> values) {
  query_ = own_plan(settings_, request_, query_.catalogue, worker_identity(settings_), expression, std::move(values));
  wait_ = Wait::kQuery;
}

void AuthFlow::ask_for_session() {
  session_ = keys_.make();
  const std::string idle = seconds(settings_.session_idle_timeout), whole = seconds(settings_.session_lifetime);
  if (action_ == Action::kSignUp) {
    ask("SELECT pg_catalog.json_build_object('user_id', u, 'expires', nexus.start_session(u, $5, $6::interval, "
        "$7::interval)) FROM nexus.sign_up($1, $2, $3, $4) u",
        {email_, hash_, first_name_, last_name_, session_.id, idle, whole});
  } else {
    ask("SELECT pg_catalog.json_build_object('user_id', $1, 'expires', nexus.start_session($1, $2, $3::interval, "
        "$4::interval))",
        {user_id_, session_.id, idle, whole});
  }
}

void AuthFlow::take_result(const CallResult &result) {
  const auto body = parse_json(result.body);
  if (!body || !body->is_object()) throw HttpError(500, "XX000", "the database gave no answer");
  wait_ = Wait::kNothing;
  if (user_asked_) {
    user_asked_ = false;
    user_id_ = body->value("user_id", "");
    hash_ = body->value("password", "");
    wait_ = Wait::kPassword;
  } else if (action_ != Action::kSignOut) {
    answer_ = {{"access_token", session_.token},
               {"token_type", "bearer"},
               {"expires_at", (*body)["expires"]},
               {"user", {{"id", (*body)["user_id"]}}}};
    if (!email_.empty()) answer_["user"]["email"] = email_;
  }
}

void AuthFlow::work() {
  if (action_ == Action::kSignUp) {
    hash_ = hash_password(password_);
  } else if (!verify_password(hash_, password_)) {
    throw HttpError(401, "28P01", "The e-mail address or the password is wrong")
        .with_header("WWW-Authenticate", "Bearer");
  }
  sodium_memzero(password_.data(), password_.size());
  ask_for_session();
}

void AuthFlow::write(httplib::Response &response) const {
  response.set_header("Cache-Control", "no-store");
  if (action_ == Action::kSignOut) {
    response.status = 204;
    return;
  }
  response.status = action_ == Action::kSignUp ? 201 : 200;
  response.set_header("Content-Type", kJsonType);
  response.body = answer_.dump();
}

}  // namespace nexus::bridge
