#include "bridge/accounts/account_flow.hpp"

#include <httplib.h>
#include <sodium.h>

#include <algorithm>

#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"
#include "bridge/http/url.hpp"
#include "bridge/publisher/bluesky_session.hpp"

namespace nexus::bridge {
namespace {

using nlohmann::json;
using publisher::Failure;
using publisher::Sealer;

constexpr std::size_t kLongestText = 254, kLongestCode = 4096, kTokenLength = 43, kLongestPassword = 1024;
constexpr const char *kBluesky = "bluesky", *kFirstPds = "https://bsky.social";

HttpError bad_body(const std::string &message) {
  return {400, "PGRST102", message};
}

HttpError no_state(const std::string &message) {
  return HttpError(400, "NX040", message).with_hint("Begin again with POST /accounts/connect.");
}

// What functions see of a request: no secret that came with it.
std::unique_ptr<const httplib::Request> without_secrets(const httplib::Request &request) {
  auto seen = std::make_unique<httplib::Request>();
  seen->method = request.method;
  seen->path = seen->target = request.path;
  seen->remote_addr = request.remote_addr;
  for (const auto &[name, value] : request.headers) {
    const std::string lower = lower_case(name);
    if (lower != "cookie" && lower != "referer") seen->headers.emplace(name, value);
  }
  return seen;
}

std::string text_member(const json &body, const char *name, std::size_t longest, bool required) {
  const auto found = body.find(name);
  if (found == body.end() || found->is_null()) {
    if (required) throw bad_body(std::string("The member ") + name + " is missing");
    return "";
  }
  if (!found->is_string()) throw bad_body(std::string("The member ") + name + " must be a string");
  std::string text = found->get<std::string>();
  if (text.size() > longest) throw bad_body(std::string("The member ") + name + " is too long");
  if (text.find('\0') != std::string::npos)
    throw bad_body(std::string("The member ") + name + " holds a NUL character");
  return text;
}

std::string instance_member(const json &body) {
  std::string url = text_member(body, "instance_url", kLongestText, false);
  while (!url.empty() && url.back() == '/') url.pop_back();
  if (url.empty()) return url;
  const auto parsed = publisher::parse_url(url);
  if (!parsed || parsed->target != "/") throw bad_body("The member instance_url must be https:// and a host");
  return url;
}

bool is_token(const std::string &text) {
  return text.size() == kTokenLength && text.find_first_not_of(
                                            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                            "0123456789-_") == std::string::npos;
}

// One cookie for each authorization, so that two of them do not take each other's place.
std::string cookie_name(const std::string &state_hash) {
  return "nexus_connect_" + state_hash.substr(0, 16);
}

std::string cookie_of(const httplib::Request &request, const std::string &name) {
  for (const auto &header : header_values(request, "Cookie")) {
    for (const auto &cookie : split_trimmed(header, ';')) {
      if (cookie.compare(0, name.size() + 1, name + "=") == 0) return cookie.substr(name.size() + 1);
    }
  }
  return "";
}

// Errors that a provider names in a callback: a word.
std::string error_word(const std::string &text) {
  const bool word =
      !text.empty() && text.size() <= 40 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
  return word ? text : "an error without a name";
}

std::string verifier_context(const std::string &state_hash) {
  return "oauth\n" + state_hash + "\nverifier";
}

std::string time_text(const std::optional<double> &time) {
  return time ? std::to_string(*time) : "";
}

}  // namespace

AccountFlow::AccountFlow(const Settings &settings, const AccountServices &services, CataloguePtr catalogue,
                         const httplib::Request &request, const std::string &path, const Identity &identity)
    : settings_(settings), services_(services), worker_(worker_identity(settings)), seen_(without_secrets(request)) {
  query_.catalogue = std::move(catalogue);
  read_path(request, path);
  if (identity.anonymous) {
    if (action_ != Action::kCallback) {
      throw HttpError(401, "PGRST302", "Accounts are connected by those who signed in")
          .with_header("WWW-Authenticate", "Bearer");
    }
    go_on_as("");
  } else {
    ask(Step::kWho, "pg_catalog.json_build_object('user_id', nexus.current_user_id())", {}, identity);
  }
}

AccountFlow::~AccountFlow() {
  for (std::string *secret : {&password_, &code_, &verifier_, &browser_, &state_}) {
    sodium_memzero(secret->data(), secret->size());
  }
}

void AccountFlow::read_path(const httplib::Request &request, const std::string &path) {
  const std::string rest = path.compare(0, 10, "/accounts/") == 0 ? path.substr(10) : "";
  const std::size_t slash = rest.find('/');
  const auto number = whole_number(rest.substr(0, slash));
  const char *method = "POST";
  if (path == "/oauth/callback") {
    action_ = Action::kCallback;
    method = "GET";
  } else if (rest == "connect") {
    action_ = Action::kConnect;
  } else if (rest == "app-password") {
    action_ = Action::kAppPassword;
  } else if (number && *number > 0 && *number <= INT32_MAX &&
             (slash == std::string::npos || rest.substr(slash) == "/disconnect")) {
    action_ = Action::kDisconnect;
    account_ = std::to_string(*number);
    if (slash == std::string::npos) method = "DELETE";
  } else {
    throw HttpError(404, "PGRST125", "Invalid path specified in request URL");
  }
  if (request.method != method) {
    throw HttpError(405, "PGRST101", "Cannot use the " + request.method + " method on " + path)
        .with_header("Allow", method);
  }
  if (action_ == Action::kCallback) {
    read_callback(request);
  } else if (action_ != Action::kDisconnect) {
    read_body(request);
  }
}

void AccountFlow::read_callback(const httplib::Request &request) {
  for (const auto &[name, value] : parse_pairs(query_string(request))) {
    if (name == "state") state_ = value;
    if (name == "code") code_ = value;
    if (name == "error") said_ = error_word(value);
    if (name == "iss") issuer_ = value;
  }
  if (!is_token(state_)) throw no_state("The callback has no state of ours");
  if (code_.size() > kLongestCode || (code_.empty() && said_.empty())) throw no_state("The callback has no code");
  browser_ = cookie_of(request, cookie_name(publisher::token_hash(state_)));
}

void AccountFlow::read_body(const httplib::Request &request) {
  const auto body = parse_json(request.body);
  if (!body || !body->is_object()) throw bad_body("Empty or invalid json");
  platform_ = text_member(*body, "platform", kLongestText, true);
  instance_url_ = instance_member(*body);
  if (action_ == Action::kConnect) {
    if (!settings_.oauth_redirect_uri.empty()) return;
    throw HttpError(500, "NX042", "The bridge does not know where providers can send browsers back to")
        .with_hint("Set oauth-redirect-uri.");
  }
  if (platform_ != kBluesky) {
    throw HttpError(400, "0A000", "App passwords of " + platform_ + " are not supported yet")
        .with_hint("bluesky is; POST /accounts/connect is for the others.");
  }
  identifier_ = text_member(*body, "identifier", kLongestText, true);
  password_ = text_member(*body, "password", kLongestPassword, true);
  if (identifier_.empty() || password_.empty()) throw bad_body("identifier and password must not be empty");
  if (instance_url_.empty()) instance_url_ = kFirstPds;
}

void AccountFlow::ask(Step step, const std::string &expression, std::vector<std::string> values,
                      const Identity &identity) {
  query_ = own_plan(settings_, *seen_, query_.catalogue, identity, expression, std::move(values));
  if (step != Step::kWho) query_.pre_request.clear();
  step_ = step;
  wait_ = Wait::kQuery;
}

void AccountFlow::ask_as_worker(Step step, const std::string &expression, std::vector<std::string> values) {
  ask(step, expression, std::move(values), worker_);
}

void AccountFlow::go_on_as(const std::string &user_id) {
  user_id_ = user_id;
  switch (action_) {
    case Action::kConnect:
      return begin_connection();
    case Action::kCallback:
      return ask_as_worker(Step::kTake, "SELECT nexus.take_connection($1, $2, NULLIF($3, ''))",
                           {publisher::token_hash(state_), publisher::token_hash(browser_), user_id_});
    case Action::kAppPassword:
      wait_ = Wait::kProvider;
      return;
    case Action::kDisconnect:
      return ask_as_worker(Step::kDisconnect, "SELECT nexus.disconnect_account($1, $2::pg_catalog.int4)",
                           {user_id_, account_});
  }
}

void AccountFlow::begin_connection() {
  state_ = publisher::random_token();
  browser_ = publisher::random_token();
  verifier_ = publisher::random_token();
  const std::string hash = publisher::token_hash(state_);
  const bool secure = settings_.oauth_redirect_uri.compare(0, 6, "https:") == 0;
  cookie_ = cookie_name(hash) + "=" + browser_ +
            "; Path=/; HttpOnly; SameSite=Lax; Max-Age=" + std::to_string(settings_.accounts_state_lifetime) +
            (secure ? "; Secure" : "");
  ask_as_worker(Step::kBegin,
                "SELECT nexus.begin_connection($1, $2, NULLIF($3, ''), $4, $5, $6, $7, "
                "pg_catalog.make_interval(secs => $8::pg_catalog.float8))",
                {user_id_, platform_, instance_url_, hash, publisher::token_hash(browser_),
                 services_.sealer.seal(verifier_, verifier_context(hash)), settings_.oauth_redirect_uri,
                 std::to_string(settings_.accounts_state_lifetime)});
}

void AccountFlow::take_result(const CallResult &result) {
  const auto body = result.body.empty() ? std::optional<json>(json::object()) : parse_json(result.body);
  if (!body || !body->is_object()) throw HttpError(500, "XX000", "the database gave no answer");
  wait_ = Wait::kNothing;
  switch (step_) {
    case Step::kWho:
      if (!body->contains("user_id") || !body->at("user_id").is_string()) {
        throw HttpError(403, "42501", "The token names no user");
      }
      return go_on_as(body->at("user_id").get<std::string>());
    case Step::kBegin: {
      const auto provider = publisher::oauth_provider(*body);
      answer_ = {{"authorization_url",
                  publisher::authorization_url(provider, settings_.oauth_redirect_uri, state_, verifier_)},
                 {"expires_in", settings_.accounts_state_lifetime}};
      return;
    }
    case Step::kTake:
      return take_connection(*body);
    case Step::kStore:
      return finish(*body);
    case Step::kDisconnect:
      pending_ = *body;
      wait_ = Wait::kProvider;
      return;
    case Step::kNote:
      return;
  }
}

void AccountFlow::take_connection(const json &pending) {
  try {
    if (pending.value("refused", "") == "other_user") {
      throw HttpError(403, "NX040", "The authorization was begun by somebody else, or in another browser")
          .with_hint("Begin again with POST /accounts/connect.");
    }
    if (!pending.contains("user_id")) throw no_state("The state is unknown, was used before or has expired");
    user_id_ = pending.at("user_id").get<std::string>();
    pending_ = pending;
    if (!said_.empty()) {
      throw HttpError(400, "NX041", "The provider did not grant the connection: " + said_);
    }
    const std::string issuer = publisher::text_of(pending.at("provider"), "issuer");
    if (!issuer.empty() && !issuer_.empty() && issuer != issuer_) {
      throw no_state("The callback comes from another provider");
    }
    wait_ = Wait::kProvider;
  } catch (const HttpError &error) {
    if (settings_.accounts_return_url.empty()) throw;
    finish({{"error", error.code}});
  }
}

void AccountFlow::work() {
  try {
    if (action_ == Action::kCallback) return exchange();
  } catch (const HttpError &error) {
    if (settings_.accounts_return_url.empty()) throw;
    return finish({{"error", error.code}});
  }
  if (action_ == Action::kAppPassword) return sign_in();
  revoke();
}

void AccountFlow::refuse(const Failure &failure) {
  if (failure.type == "auth") throw HttpError(400, "NX041", "The provider refused: " + failure.message);
  if (failure.type == "transient" || failure.type == "rate_limited") {
    HttpError error(503, "NX042", "The provider cannot be reached now: " + failure.message);
    error.headers.emplace_back("Retry-After", std::to_string(static_cast<int>(failure.retry_after.value_or(5))));
    throw HttpError(error);
  }
  throw HttpError(502, "NX042", "The provider did not do its part: " + failure.message);
}

void AccountFlow::exchange() {
  const std::string context = verifier_context(publisher::token_hash(state_));
  try {
    verifier_ = services_.sealer.open(pending_.at("verifier").get<std::string>(), context);
  } catch (const publisher::SealError &error) {
    throw HttpError(500, "NX042", std::string("What was kept of the authorization cannot be opened: ") + error.what());
  }
  const auto provider = publisher::oauth_provider(pending_.at("provider"));
  publisher::Grant grant;
  publisher::Profile profile;
  auto failure = publisher::exchange_code(services_.http, provider, code_, verifier_,
                                          pending_.at("redirect_uri").get<std::string>(), services_.timeout, grant);
  if (!failure) {
    failure = publisher::fetch_profile(services_.http, provider, grant.tokens.access_token, services_.timeout, profile);
  }
  if (failure) refuse(*failure);
  store(provider.platform, grant, profile, grant.scope ? split_trimmed(*grant.scope, ' ') : provider.scopes);
}

void AccountFlow::sign_in() {
  publisher::Grant grant;
  publisher::Profile profile;
  const auto failure = publisher::create_session(services_.http, instance_url_, identifier_, password_,
                                                 services_.timeout, grant, profile);
  sodium_memzero(password_.data(), password_.size());
  if (failure) refuse(*failure);
  store(kBluesky, grant, profile, {});
}

void AccountFlow::store(const std::string &platform, const publisher::Grant &grant, const publisher::Profile &profile,
                        const std::vector<std::string> &scopes) {
  const auto sealed = [&](const std::string &token, const char *column) {
    if (token.empty()) return std::string();
    return services_.sealer.seal(token, Sealer::token_context(platform, profile.account_id, column));
  };
  ask_as_worker(
      Step::kStore,
      "SELECT nexus.connect_account($1, $2, $3, $4, NULLIF($5, ''), NULLIF($6, ''), $7, NULLIF($8, ''), "
      "pg_catalog.to_timestamp(NULLIF($9, '')::pg_catalog.float8), "
      "pg_catalog.to_timestamp(NULLIF($10, '')::pg_catalog.float8), pg_catalog.string_to_array(NULLIF($11, ''), ' '))",
      {user_id_, platform, profile.account_id, profile.name, profile.handle, profile.instance_url,
       sealed(grant.tokens.access_token, "access_token"), sealed(grant.tokens.refresh_token, "refresh_token"),
       time_text(grant.tokens.expires_at), time_text(grant.refresh_expires_at), joined(scopes, " ")});
}

// Best effort: here the tokens are gone already.
void AccountFlow::revoke() {
  const std::string platform = publisher::text_of(pending_, "platform"),
                    id = publisher::text_of(pending_, "account_id");
  std::optional<Failure> failure;
  bool any = false;
  try {
    for (const char *column : {"refresh_token", "access_token"}) {
      const std::string sealed = publisher::text_of(pending_, column);
      if (sealed.empty()) continue;
      std::string token = services_.sealer.open(sealed, Sealer::token_context(platform, id, column));
      std::optional<Failure> found;
      if (platform == kBluesky) {
        if (std::string_view(column) == "access_token") continue;
        const auto parts = publisher::parse_json(token);
        if (parts.is_object()) token = publisher::text_of(parts, "refresh");
        const std::string pds = publisher::text_of(pending_, "instance_url");
        if (!token.empty()) {
          found = publisher::delete_session(services_.http, pds.empty() ? kFirstPds : pds, token, services_.timeout);
        }
      } else if (pending_.at("provider").is_object()) {
        found = publisher::revoke_token(services_.http, publisher::oauth_provider(pending_.at("provider")), token,
                                        column, services_.timeout);
      } else {
        found = Failure{"invalid", "no_provider", "the platform has no provider settings", 0, std::nullopt};
      }
      any = true;
      if (found) failure = found;
    }
  } catch (const publisher::SealError &error) {
    failure = Failure{"invalid", "sealed", std::string("the tokens cannot be opened: ") + error.what(), 0, {}};
  }
  const std::string why = failure ? failure->message : any ? "" : "there were no tokens";
  answer_ = {{"id", pending_.at("id")}, {"status", "revoked"}, {"revoked_at_provider", why.empty()}};
  if (!why.empty()) answer_["reason"] = why;
  ask_as_worker(Step::kNote, "SELECT '{}' FROM nexus.account_event($1, $2::pg_catalog.int4, $3, $4, NULLIF($5, ''))",
                {user_id_, account_, platform, why.empty() ? "provider_revoked" : "provider_not_revoked", why});
}

void AccountFlow::finish(json answer) {
  wait_ = Wait::kNothing;
  answer_ = std::move(answer);
  const std::string &back = settings_.accounts_return_url;
  if (action_ != Action::kCallback || back.empty()) return;
  const std::string name = answer_.contains("error") ? "error" : "account";
  const std::string value =
      name == "error" ? answer_.at("error").get<std::string>() : answer_.value("id", json(0)).dump();
  location_ = back + (back.find('?') == std::string::npos ? "?" : "&") + name + "=" + publisher::percent_encoded(value);
}

void AccountFlow::write(httplib::Response &response) const {
  response.set_header("Cache-Control", "no-store");
  response.set_header("Referrer-Policy", "no-referrer");
  if (!cookie_.empty()) response.set_header("Set-Cookie", cookie_);
  if (!location_.empty()) {
    response.status = 303;
    response.set_header("Location", location_);
    return;
  }
  response.status = 200;
  response.set_header("Content-Type", kJsonType);
  response.body = answer_.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace nexus::bridge
