#include "bridge/publisher/bluesky.hpp"

#include <openssl/sha.h>

#include <cmath>

namespace nexus::publisher {
namespace {

constexpr const char *kCollection = "app.bsky.feed.post";
constexpr std::size_t kMaxImages = 4;

std::string base_of(const Account &account) {
  std::string base = account.instance_url.empty() ? "https://bsky.social" : account.instance_url;
  while (!base.empty() && base.back() == '/') base.pop_back();
  return base;
}

Sent sent_of(const Exchange &exchange, const std::optional<Failure> &refused) {
  if (!refused) {
    Sent sent = failed(exchange);
    const std::string error =
        exchange.state == Exchange::State::kAnswered ? text_of(parse_json(exchange.body), "error") : "";
    if (!error.empty()) sent.failure.code = error;
    if (error == "InvalidToken" || error == "ExpiredToken" || error == "AccountTakedown") sent.failure.type = "auth";
    return sent;
  }
  Sent sent;
  sent.failure = *refused;
  return sent;
}

Json facet(const Json &entity, Json feature) {
  return {{"index", {{"byteStart", entity.at("start_byte")}, {"byteEnd", entity.at("end_byte")}}},
          {"features", Json::array({std::move(feature)})}};
}

// A mention needs the DID behind the handle; a handle that nobody has stays plain text.
std::string did_of(const std::string &handle, const Account &account, const Services &services) {
  Call call;
  call.url = base_of(account) + "/xrpc/com.atproto.identity.resolveHandle?handle=" + percent_encoded(handle);
  call.timeout = services.timeout;
  const Exchange exchange = services.http.run(call);
  return exchange.ok() ? text_of(parse_json(exchange.body), "did") : "";
}

Json facets_of(const Task &task, const Services &services) {
  Json facets = Json::array();
  for (const Json &entity : task.entities) {
    const std::string kind = text_of(entity, "kind"), canonical = text_of(entity, "canonical");
    if (kind == "url") {
      facets.push_back(facet(entity, {{"$type", "app.bsky.richtext.facet#link"}, {"uri", canonical}}));
    } else if (kind == "hashtag") {
      facets.push_back(facet(entity, {{"$type", "app.bsky.richtext.facet#tag"}, {"tag", text_of(entity, "value")}}));
    } else if (kind == "mention") {
      const std::string did = did_of(canonical, task.account, services);
      if (!did.empty()) facets.push_back(facet(entity, {{"$type", "app.bsky.richtext.facet#mention"}, {"did", did}}));
    }
  }
  return facets;
}

// Uploads the media and makes the embed; false with the reason in `sent`.
bool embed(Task &task, const Services &services, Json &record, Sent &sent) {
  Json images = Json::array();
  for (const Media &media : task.media) {
    Call call;
    call.method = "POST";
    call.url = base_of(task.account) + "/xrpc/com.atproto.repo.uploadBlob";
    call.body = media.bytes;
    call.headers.emplace_back("Content-Type", media.mime_type.empty() ? "application/octet-stream" : media.mime_type);
    std::optional<Failure> refused;
    const Exchange exchange = authorized(call, task.account, services, refused);
    const Json blob = exchange.ok() ? parse_json(exchange.body).value("blob", Json()) : Json();
    if (!blob.is_object()) {
      sent = refused ? sent_of(exchange, refused) : failed_before(exchange);
      if (sent.failure.type == "invalid") sent.failure.type = "media";
      return false;
    }
    Json item{{"alt", media.alt_text}};
    if (media.width > 0 && media.height > 0) item["aspectRatio"] = {{"width", media.width}, {"height", media.height}};
    if (media.type == "video") {
      item["$type"] = "app.bsky.embed.video";
      item["video"] = blob;
      record["embed"] = item;
    } else {
      item["image"] = blob;
      images.push_back(item);
    }
  }
  if (!images.empty()) record["embed"] = {{"$type", "app.bsky.embed.images"}, {"images", images}};
  return true;
}

// at://did/collection/key
struct AtUri {
  std::string repo, key;
};
AtUri parse_at_uri(const std::string &uri) {
  const std::size_t repo = uri.find('/', 5), key = uri.rfind('/');
  if (uri.compare(0, 5, "at://") != 0 || repo == std::string::npos || key <= repo) return {};
  return {uri.substr(5, repo - 5), uri.substr(key + 1)};
}

Exchange get_record(const std::string &repo, const std::string &key, const Account &account, const Services &services) {
  Call call;
  call.url = base_of(account) + "/xrpc/com.atproto.repo.getRecord?repo=" + percent_encoded(repo) +
             "&collection=" + kCollection + "&rkey=" + percent_encoded(key);
  call.timeout = services.timeout;
  return services.http.run(call);
}

// The parent and the root of the thread, by their content's hashes, which only the PDS knows.
bool reply(const Task &task, const Services &services, Json &record, Sent &sent) {
  if (task.reply_to.is_null()) return true;
  const AtUri parent = parse_at_uri(text_of(task.reply_to, "parent_id"));
  const Exchange exchange = get_record(parent.repo, parent.key, task.account, services);
  const Json found = exchange.ok() ? parse_json(exchange.body) : Json();
  if (!found.is_object() || text_of(found, "cid").empty()) {
    sent = failed_before(exchange);
    sent.failure.message = "the post that is replied to was not found: " + sent.failure.message;
    return false;
  }
  const Json self{{"uri", found.at("uri")}, {"cid", found.at("cid")}};
  const Json value = found.value("value", Json::object());
  const Json earlier = value.is_object() ? value.value("reply", Json()) : Json();
  record["reply"] = {{"parent", self}, {"root", earlier.is_object() ? earlier.value("root", self) : self}};
  return true;
}

// The PDS' way to say that it has no such record.
bool is_absent(const Json &body) {
  const std::string error = text_of(body, "error");
  return error == "RecordNotFound" ||
         (error == "InvalidRequest" && text_of(body, "message").find("Could not locate record") == 0);
}

std::string url_of(const Account &account, const AtUri &uri) {
  return "https://bsky.app/profile/" + (account.handle.empty() ? uri.repo : account.handle) + "/post/" + uri.key;
}

}  // namespace

std::string bluesky_record_key(const std::string &due_at, const std::string &idempotency_key) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char *>(idempotency_key.data()), idempotency_key.size(), digest);
  const std::uint64_t spread =
      (std::uint64_t{digest[0]} << 24 | digest[1] << 16 | digest[2] << 8 | digest[3]) % 1000000;
  const std::uint64_t clock = (static_cast<std::uint64_t>(digest[4]) << 8 | digest[5]) & 1023;
  const double due = parse_time(due_at).value_or(0);
  const auto microseconds = static_cast<std::uint64_t>(std::floor(due)) * 1000000 + spread;
  std::uint64_t value = (microseconds & ((std::uint64_t{1} << 53) - 1)) << 10 | clock;
  std::string key(13, '2');
  for (std::size_t i = key.size(); i-- > 0; value >>= 5) key[i] = "234567abcdefghijklmnopqrstuvwxyz"[value & 31];
  return key;
}

std::optional<Failure> Bluesky::validate(const Task &task) const {
  const auto invalid = [](const char *type, const char *code, const char *message) {
    return Failure{type, code, message, 0, std::nullopt};
  };
  if (task.text.empty() && task.media.empty()) return invalid("invalid", "empty", "there is neither text nor media");
  if (task.account.access_token.empty() && task.account.refresh_token.empty()) {
    return invalid("auth", "no_session", "the account has no session");
  }
  std::size_t videos = 0;
  for (const Media &media : task.media) {
    if (media.type == "video") ++videos;
    if (media.type != "video" && media.type != "image")
      return invalid("media", "kind", "Bluesky takes images and videos");
  }
  if (videos > 1 || (videos == 1 && task.media.size() > 1) || task.media.size() > kMaxImages) {
    return invalid("media", "count", "Bluesky takes one video or up to four images");
  }
  return std::nullopt;
}

std::string Bluesky::remote_key(const Task &task) const {
  return bluesky_record_key(task.due_at, task.idempotency_key);
}

Sent Bluesky::send(Task &task, const Services &services) const {
  Sent sent;
  Json record{{"$type", kCollection}, {"text", task.text}, {"createdAt", task.due_at.substr(0, 23) + "Z"}};
  const Json langs = task.payload.value("metadata", Json::object()).value("langs", Json());
  if (langs.is_array()) record["langs"] = langs;
  if (!reply(task, services, record, sent) || !embed(task, services, record, sent)) return sent;
  const Json facets = facets_of(task, services);
  if (!facets.empty()) record["facets"] = facets;

  // putRecord under a key of our own: sent again it is the same record, and no second post.
  Call call;
  call.method = "POST";
  call.url = base_of(task.account) + "/xrpc/com.atproto.repo.putRecord";
  call.headers.emplace_back("Content-Type", "application/json");
  call.body = Json{
      {"repo", task.account.account_id},
      {"collection", kCollection},
      {"rkey", task.remote_key},
      {"record",
       record}}.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::optional<Failure> refused;
  const Exchange exchange = authorized(call, task.account, services, refused);
  if (!exchange.ok()) return sent_of(exchange, refused);
  const std::string uri = text_of(parse_json(exchange.body), "uri");
  if (uri.empty()) {
    sent.outcome = Sent::Outcome::kUnknown;
    sent.failure = {"unknown_outcome", "no_uri", "the answer does not name the post", exchange.status, std::nullopt};
    return sent;
  }
  sent.outcome = Sent::Outcome::kOk;
  sent.remote_id = uri;
  sent.remote_url = url_of(task.account, parse_at_uri(uri));
  return sent;
}

Seen Bluesky::verify(Task &task, const Services &services) const {
  const Exchange exchange = get_record(task.account.account_id, task.remote_key, task.account, services);
  const Json body = exchange.state == Exchange::State::kAnswered ? parse_json(exchange.body) : Json();
  const std::string uri = text_of(body, "uri");
  if (exchange.ok() && !uri.empty())
    return {Seen::Presence::kPresent, uri, url_of(task.account, parse_at_uri(uri)), ""};
  if (is_absent(body)) return {Seen::Presence::kAbsent, "", "", ""};
  return {Seen::Presence::kUnavailable, "", "", "the PDS does not say: " + failed(exchange).failure.message};
}

// The AppView counts, and the PDS passes the question on. What the AppView does not know is either too new for it or
// gone, which the PDS knows for certain.
Counts Bluesky::counters(Account &account, const std::vector<std::string> &remote_ids, const Services &services) const {
  Counts counts;
  Call call;
  call.url = base_of(account) + "/xrpc/app.bsky.feed.getPosts?";
  for (const std::string &uri : remote_ids) call.url += "uris=" + percent_encoded(uri) + "&";
  call.url.pop_back();
  std::optional<Failure> refused;
  const Exchange exchange = authorized(call, account, services, refused);
  const Json body = exchange.ok() ? parse_json(exchange.body) : Json();
  const Json views = body.is_object() ? body.value("posts", Json()) : Json();
  if (!views.is_array()) {
    counts.failure = sent_of(exchange, refused).failure;
    if (exchange.ok()) counts.failure->message = "the answer has no posts";
    if (counts.failure->type == "unknown_outcome" || exchange.ok()) counts.failure->type = "transient";
    return counts;
  }
  for (const Json &view : views) {
    const Json reposts = count_of(view, "repostCount"), quotes = count_of(view, "quoteCount");
    Json counters{{"likes", count_of(view, "likeCount")},
                  {"comments", count_of(view, "replyCount")},
                  {"saves", count_of(view, "bookmarkCount")}};
    if (!reposts.is_null() || !quotes.is_null()) {
      counters["shares"] =
          (reposts.is_null() ? 0 : reposts.get<std::int64_t>()) + (quotes.is_null() ? 0 : quotes.get<std::int64_t>());
    }
    counts.posts[text_of(view, "uri")].counters = std::move(counters);
  }
  for (const std::string &uri : remote_ids) {
    if (counts.posts.count(uri) > 0) continue;
    const AtUri parts = parse_at_uri(uri);
    const Exchange record = get_record(parts.repo, parts.key, account, services);
    if (record.state == Exchange::State::kAnswered && is_absent(parse_json(record.body))) counts.posts[uri].gone = true;
  }
  return counts;
}

std::optional<Failure> Bluesky::refresh(const Account &account, const Services &services, Tokens &tokens) const {
  std::string token = account.refresh_token, password;
  if (!token.empty() && token.front() == '{') {
    const Json parsed = parse_json(token);
    token = text_of(parsed, "refresh");
    password = text_of(parsed, "password");
  }
  Call call;
  call.method = "POST";
  call.timeout = services.timeout;
  Exchange exchange;
  if (!token.empty()) {
    call.url = base_of(account) + "/xrpc/com.atproto.server.refreshSession";
    call.headers = {{"Authorization", "Bearer " + token}};
    exchange = services.http.run(call);
  }
  const bool refused =
      exchange.state == Exchange::State::kAnswered && (exchange.status == 400 || exchange.status == 401);
  if (!password.empty() && (token.empty() || refused)) {
    call.url = base_of(account) + "/xrpc/com.atproto.server.createSession";
    call.headers = {{"Content-Type", "application/json"}};
    call.body = Json{
        {"identifier", account.handle.empty() ? account.account_id : account.handle},
        {"password",
         password}}.dump();
    exchange = services.http.run(call);
  } else if (token.empty()) {
    return Failure{"auth", "no_refresh", "the account has neither a refresh token nor a password", 0, std::nullopt};
  }
  if (!exchange.ok()) {
    Failure failure = failed_before(exchange).failure;
    if (failure.type == "invalid") failure.type = "auth";  // 400 ExpiredToken, InvalidToken
    return failure;
  }
  const Json body = parse_json(exchange.body);
  tokens.access_token = text_of(body, "accessJwt");
  const std::string next = text_of(body, "refreshJwt");
  if (tokens.access_token.empty() || next.empty()) {
    return Failure{"transient", "no_session", "the PDS gave no session", exchange.status, std::nullopt};
  }
  tokens.refresh_token = password.empty() ? next : Json{{"refresh", next}, {"password", password}}.dump();
  tokens.expires_at = jwt_expiry(tokens.access_token);
  return std::nullopt;
}

}  // namespace nexus::publisher
