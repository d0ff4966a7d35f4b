#include "bridge/publisher/webhook.hpp"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <cstdlib>
#include <ctime>

namespace nexus::publisher {
namespace {

bool says(const Account &account, const char *name) {
  const auto webhook = account.metadata.find("webhook");
  return webhook != account.metadata.end() && webhook->is_object() && webhook->value(name, Json()) == Json(true);
}

// The same bytes each time: a receiver that compares bodies finds no difference.
std::string body_of(const Task &task) {
  Json body{{"type", "post.publish"},
            {"id", task.idempotency_key},
            {"platform_post_id", task.platform_post_id},
            {"due_at", task.due_at},
            {"account_id", task.account.account_id},
            {"post", task.payload}};
  if (!task.reply_to.is_null()) body["reply_to"] = task.reply_to;
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Sent published(const Exchange &exchange, const Task &task) {
  Sent sent;
  sent.outcome = Sent::Outcome::kOk;
  const Json body = parse_json(exchange.body);
  sent.remote_id = text_of(body, "id").substr(0, 200);
  if (sent.remote_id.empty()) sent.remote_id = task.idempotency_key;
  sent.remote_url = text_of(body, "url").substr(0, 2000);
  return sent;
}

Headers signed_headers(const Task &task, const std::string &body) {
  return {{"Idempotency-Key", task.idempotency_key},
          {"X-Signature", webhook_signature(task.account.access_token, std::time(nullptr), body)}};
}

}  // namespace

std::string webhook_signature(std::string_view secret, long long seconds, std::string_view body) {
  const std::string text = std::to_string(seconds) + "." + std::string(body);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char *>(text.data()), text.size(), digest, &length);
  std::string header = "t=" + std::to_string(seconds) + ",v1=";
  static constexpr char kHex[] = "0123456789abcdef";
  for (unsigned int i = 0; i < length; ++i) {
    header += kHex[digest[i] >> 4];
    header += kHex[digest[i] & 15];
  }
  return header;
}

bool webhook_signature_fits(std::string_view secret, std::string_view header, std::string_view body, long long now,
                            long long tolerance) {
  if (header.substr(0, 2) != "t=" || header.size() > 200) return false;
  const std::string text(header.substr(2));
  char *end = nullptr;
  const long long seconds = std::strtoll(text.c_str(), &end, 10);
  if (end == text.c_str() || *end != ',' || seconds < now - tolerance || seconds > now + tolerance) return false;
  const std::string wanted = webhook_signature(secret, seconds, body);
  return wanted.size() == header.size() && CRYPTO_memcmp(wanted.data(), header.data(), wanted.size()) == 0;
}

std::optional<Failure> Webhook::validate(const Task &task) const {
  if (!parse_url(task.account.instance_url)) {
    return Failure{"invalid", "no_address", "the account's instance_url is not an http(s) address", 0, std::nullopt};
  }
  if (task.account.access_token.empty()) {
    return Failure{"auth", "no_secret", "the account has no secret to sign with", 0, std::nullopt};
  }
  return std::nullopt;
}

Sent Webhook::send(Task &task, const Services &services) const {
  Call call;
  call.method = "POST";
  call.url = task.account.instance_url;
  call.body = body_of(task);
  call.headers = signed_headers(task, call.body);
  call.headers.emplace_back("Content-Type", "application/json");
  call.timeout = services.timeout;
  const Exchange exchange = services.http.run(call);
  if (exchange.ok()) return published(exchange, task);
  if (exchange.state == Exchange::State::kAnswered && exchange.status == 409) return published(exchange, task);
  Sent sent = failed(exchange);
  if (exchange.state == Exchange::State::kAnswered && exchange.status == 410) {
    // The receiver wants no more: the account is of no use until it is connected again.
    sent.failure.type = "auth";
    sent.failure.message = "the endpoint is gone (410)";
  }
  return sent;
}

Seen Webhook::verify(Task &task, const Services &services) const {
  const bool idempotent = says(task.account, "idempotent");
  if (says(task.account, "read_back")) {
    Call call;
    const bool query = task.account.instance_url.find('?') != std::string::npos;
    call.url = task.account.instance_url + (query ? "&" : "?") + "idempotency_key=" + task.idempotency_key;
    call.headers = signed_headers(task, "");
    call.timeout = services.timeout;
    const Exchange exchange = services.http.run(call);
    if (exchange.ok()) {
      const Sent there = published(exchange, task);
      return {Seen::Presence::kPresent, there.remote_id, there.remote_url, ""};
    }
    if (exchange.state != Exchange::State::kAnswered || exchange.status != 404) {
      return {Seen::Presence::kUnavailable, "", "", "the endpoint does not say: " + failed(exchange).failure.message};
    }
  }
  // "Not there" may still become "there": what is under way can arrive late. Only an endpoint that knows its keys makes
  // a second request harmless.
  if (idempotent) return {Seen::Presence::kAbsent, "", "", ""};
  return {Seen::Presence::kUnknowable, "", "", "the endpoint may have taken the post, and does not know keys"};
}

std::optional<Failure> Webhook::refresh(const Account &, const Services &, Tokens &) const {
  return Failure{"auth", "no_refresh", "the secret of a webhook cannot be renewed", 0, std::nullopt};
}

}  // namespace nexus::publisher
