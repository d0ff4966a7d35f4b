#include "bridge/publisher/mastodon.hpp"

#include <algorithm>
#include <ctime>
#include <thread>

namespace nexus::publisher {
namespace {

// The server forgets an Idempotency-Key after an hour; until well before that sending again is safe.
constexpr double kKeyLives = 45 * 60;
// How far the server's clock may be from the database's.
constexpr double kSkew = 120;
constexpr int kPages = 5, kMediaPolls = 20;

std::string base_of(const Account &account) {
  std::string base = account.instance_url;
  while (!base.empty() && base.back() == '/') base.pop_back();
  return base;
}

Call call_of(const Account &account, const Services &services, const char *method, const std::string &path) {
  Call call;
  call.method = method;
  call.url = base_of(account) + path;
  call.timeout = services.timeout;
  return call;
}

// With the account's token. One that has run out is renewed where its provider can: 401 says that nothing was done.
Exchange ask(const Call &call, Account &account, const Services &services) {
  if (account.provider.is_null() || account.refresh_token.empty()) {
    Call with = call;
    with.headers.emplace_back("Authorization", "Bearer " + account.access_token);
    return services.http.run(with);
  }
  std::optional<Failure> refused;
  Exchange exchange = authorized(call, account, services, refused);
  if (!refused) return exchange;
  exchange.state = refused->type == "auth" ? Exchange::State::kAnswered : Exchange::State::kNotSent;
  exchange.status = 401;
  exchange.error = refused->message;
  return exchange;
}

// multipart/form-data (RFC 7578); the boundary comes from the key, and does not stand in what it parts.
std::string form_of(const Media &media, const std::string &boundary) {
  std::string form;
  if (!media.alt_text.empty()) {
    form +=
        "--" + boundary + "\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n" + media.alt_text + "\r\n";
  }
  form += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"media\"\r\nContent-Type: " +
          (media.mime_type.empty() ? "application/octet-stream" : media.mime_type) + "\r\n\r\n" + media.bytes +
          "\r\n--" + boundary + "--\r\n";
  return form;
}

// The id of the uploaded file, once the server has worked it; empty with the reason in `sent`.
std::string upload(const Media &media, Task &task, const Services &services, Sent &sent) {
  const std::string boundary = "nexus-" + task.idempotency_key;
  Call call = call_of(task.account, services, "POST", "/api/v2/media");
  call.headers.emplace_back("Content-Type", "multipart/form-data; boundary=" + boundary);
  call.body = form_of(media, boundary);
  Exchange exchange = ask(call, task.account, services);
  std::string id = text_of(parse_json(exchange.body), "id");
  const Call look = call_of(task.account, services, "GET", "/api/v1/media/" + percent_encoded(id));
  // 202 and then 206: it is still being worked
  for (int poll = 0; exchange.ok() && exchange.status != 200 && poll < kMediaPolls; ++poll) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(100 << std::min(poll, 4), 2000)));
    exchange = ask(look, task.account, services);
  }
  if (exchange.ok() && exchange.status == 200 && !id.empty()) return id;
  sent = failed_before(exchange);
  if (exchange.ok())
    sent.failure = {"transient", "media_slow", "the server still works the media", exchange.status, std::nullopt};
  if (sent.failure.type == "invalid") sent.failure.type = "media";
  return "";
}

Sent published(const Exchange &exchange) {
  Sent sent;
  const Json body = parse_json(exchange.body);
  sent.remote_id = text_of(body, "id");
  sent.remote_url = text_of(body, "url");
  if (sent.remote_id.empty()) {
    sent.outcome = Sent::Outcome::kUnknown;
    sent.failure = {"unknown_outcome", "no_id", "the answer does not name the status", exchange.status, std::nullopt};
  } else {
    sent.outcome = Sent::Outcome::kOk;
  }
  return sent;
}

std::string own_id(Task &task, const Services &services, std::string &why) {
  const Exchange exchange =
      ask(call_of(task.account, services, "GET", "/api/v1/accounts/verify_credentials"), task.account, services);
  std::string id = exchange.ok() ? text_of(parse_json(exchange.body), "id") : "";
  if (id.empty()) why = exchange.ok() ? "the server does not name the account" : failed(exchange).failure.message;
  return id;
}

// What the author wrote; servers that do not tell it give the shown text.
std::string source_of(const Json &status, Task &task, const Services &services) {
  const std::string path = "/api/v1/statuses/" + percent_encoded(text_of(status, "id")) + "/source";
  const Exchange exchange = ask(call_of(task.account, services, "GET", path), task.account, services);
  const Json body = exchange.ok() ? parse_json(exchange.body) : Json();
  return body.is_object() && body.contains("text") ? text_of(body, "text") : plain_text(text_of(status, "content"));
}

std::string trimmed(const std::string &text) {
  const std::size_t first = text.find_first_not_of(" \r\n\t"), last = text.find_last_not_of(" \r\n\t");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

}  // namespace

std::string plain_text(const std::string &html) {
  std::string text;
  for (std::size_t i = 0; i < html.size(); ++i) {
    if (html[i] == '<') {
      const std::size_t end = html.find('>', i);
      if (end == std::string::npos) break;
      const std::string tag = html.substr(i + 1, end - i - 1);
      if (tag.compare(0, 2, "br") == 0) text += '\n';
      if (tag == "/p") text += "\n\n";
      i = end;
    } else if (html[i] == '&') {
      static constexpr std::pair<const char *, char> kNames[] = {{"&amp;", '&'},  {"&lt;", '<'},   {"&gt;", '>'},
                                                                 {"&quot;", '"'}, {"&#39;", '\''}, {"&apos;", '\''}};
      const auto name = std::find_if(std::begin(kNames), std::end(kNames), [&](const auto &pair) {
        return html.compare(i, std::char_traits<char>::length(pair.first), pair.first) == 0;
      });
      if (name == std::end(kNames)) {
        text += '&';
      } else {
        text += name->second;
        i += std::char_traits<char>::length(name->first) - 1;
      }
    } else {
      text += html[i];
    }
  }
  return trimmed(text);
}

std::optional<Failure> Mastodon::validate(const Task &task) const {
  const auto invalid = [](const char *type, const char *code, const char *message) {
    return Failure{type, code, message, 0, std::nullopt};
  };
  if (!parse_url(base_of(task.account))) {
    return invalid("invalid", "no_address", "the account's instance_url is not an http(s) address");
  }
  if (task.account.access_token.empty()) return invalid("auth", "no_token", "the account has no access token");
  if (task.text.empty() && task.media.empty()) return invalid("invalid", "empty", "there is neither text nor media");
  return std::nullopt;
}

Sent Mastodon::send(Task &task, const Services &services) const {
  Sent sent;
  Json media_ids = Json::array();
  for (const Media &media : task.media) {
    const std::string id = upload(media, task, services, sent);
    if (id.empty()) return sent;
    media_ids.push_back(id);
  }
  const Json metadata = task.payload.value("metadata", Json::object());
  Json status{{"status", task.text}};
  if (!media_ids.empty()) status["media_ids"] = media_ids;
  for (const char *name : {"visibility", "language", "spoiler_text", "sensitive"}) {
    if (metadata.is_object() && metadata.contains(name)) status[name] = metadata[name];
  }
  if (!task.reply_to.is_null()) status["in_reply_to_id"] = text_of(task.reply_to, "parent_id");
  Call call = call_of(task.account, services, "POST", "/api/v1/statuses");
  call.headers.emplace_back("Content-Type", "application/json");
  call.headers.emplace_back("Idempotency-Key", task.idempotency_key);
  call.body = status.dump(-1, ' ', false, Json::error_handler_t::replace);
  const Exchange exchange = ask(call, task.account, services);
  return exchange.ok() ? published(exchange) : failed(exchange);
}

Seen Mastodon::verify(Task &task, const Services &services) const {
  std::string why;
  const std::string id = own_id(task, services, why);
  if (id.empty()) return {Seen::Presence::kUnavailable, "", "", why};
  const double began = static_cast<double>(std::time(nullptr)) - task.open->age - kSkew;
  std::string before;
  bool reached = false;
  for (int page = 0; page < kPages && !reached; ++page) {
    const std::string path = "/api/v1/accounts/" + percent_encoded(id) + "/statuses?limit=40&exclude_reblogs=true" +
                             (before.empty() ? "" : "&max_id=" + percent_encoded(before));
    const Exchange exchange = ask(call_of(task.account, services, "GET", path), task.account, services);
    const Json statuses = exchange.ok() ? parse_json(exchange.body) : Json();
    if (!statuses.is_array()) return {Seen::Presence::kUnavailable, "", "", failed(exchange).failure.message};
    std::vector<std::string> ids;
    for (const Json &status : statuses) ids.push_back(text_of(status, "id"));
    const auto taken = services.known(task.account, ids);
    for (const Json &status : statuses) {
      before = text_of(status, "id");
      if (parse_time(text_of(status, "created_at")).value_or(began) < began) {
        reached = true;
        break;
      }
      if (std::find(taken.begin(), taken.end(), before) != taken.end()) continue;
      if (trimmed(source_of(status, task, services)) == trimmed(task.text)) {
        return {Seen::Presence::kPresent, before, text_of(status, "url"), ""};
      }
    }
    reached = reached || statuses.empty();
  }
  if (task.open->age < kKeyLives) return {Seen::Presence::kAbsent, "", "", ""};
  return {Seen::Presence::kUnknowable, "", "",
          reached ? "it is not among the account's statuses, and its key is too old to send it again"
                  : "the account has too many statuses since to find it"};
}

// One request for each status: asking for several at once is newer than many servers.
Counts Mastodon::counters(Account &account, const std::vector<std::string> &remote_ids,
                          const Services &services) const {
  Counts counts;
  for (const std::string &id : remote_ids) {
    const Exchange exchange =
        ask(call_of(account, services, "GET", "/api/v1/statuses/" + percent_encoded(id)), account, services);
    if (exchange.state == Exchange::State::kAnswered && (exchange.status == 404 || exchange.status == 410)) {
      counts.posts[id].gone = true;
      continue;
    }
    const Json status = exchange.ok() ? parse_json(exchange.body) : Json();
    if (!status.is_object()) {
      counts.failure = failed_before(exchange).failure;
      if (exchange.ok()) counts.failure = Failure{"transient", "no_status", "the answer is no status", 0, std::nullopt};
      return counts;
    }
    Json counters{{"likes", count_of(status, "favourites_count")}, {"comments", count_of(status, "replies_count")}};
    const Json boosts = count_of(status, "reblogs_count"), quotes = count_of(status, "quotes_count");
    if (!boosts.is_null() || !quotes.is_null()) {
      counters["shares"] =
          (boosts.is_null() ? 0 : boosts.get<std::int64_t>()) + (quotes.is_null() ? 0 : quotes.get<std::int64_t>());
    }
    counts.posts[id].counters = std::move(counters);
  }
  return counts;
}

std::optional<Failure> Mastodon::refresh(const Account &, const Services &, Tokens &) const {
  return Failure{"auth", "no_refresh", "the access token was refused, and Mastodon's cannot be renewed", 0,
                 std::nullopt};
}

}  // namespace nexus::publisher
