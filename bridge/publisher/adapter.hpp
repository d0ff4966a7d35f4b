#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bridge/publisher/http_client.hpp"

namespace nexus::publisher {

using Json = nlohmann::json;

/// The account that publishes, its tokens opened.
struct Account {
  int id = 0;
  std::string platform, account_id, handle, instance_url;
  std::string access_token, refresh_token;  ///< empty: there is none
  int token_version = 0;
  Json metadata = Json::object();
  Json provider;  ///< a row of nexus.oauth_providers; null: there is none
};

struct Media {
  std::string type, url, mime_type, alt_text, sha256;  ///< sha256 in hex, empty where it is not known
  std::string storage_key;                             ///< of an uploaded file, whose url is /media/KEY
  int width = 0, height = 0;
  std::string bytes;  ///< filled before sending begins
};

/// An attempt whose worker went silent.
struct OpenAttempt {
  int attempt = 0;
  double age = 0;  ///< seconds since it began, by the database's clock
};

/// All there is to know of one post to be published.
struct Task {
  int platform_post_id = 0;
  std::string idempotency_key;
  std::string due_at;  ///< 2026-01-31T09:00:00.000000Z
  Json payload;        ///< as nexus.publish_payload gives it
  std::string text;    ///< caption, emojis and hashtags in one
  Json entities;       ///< of the text, with start_byte and end_byte
  std::vector<Media> media;
  Account account;
  Json reply_to;           ///< null, or {parent_id, parent_url}
  std::string remote_key;  ///< under which the platform knows the post; empty: the adapter makes one
  std::optional<OpenAttempt> open;
};

/// Why something failed. `type` is the class of nexus.fail_job: transient, rate_limited, auth, invalid, media,
/// unknown_outcome.
struct Failure {
  std::string type, code, message;
  int http_status = 0;
  std::optional<double> retry_after;  ///< seconds
};

/// How sending ended.
struct Sent {
  enum class Outcome { kOk, kRejected, kNotSent, kUnknown } outcome = Outcome::kNotSent;
  std::string remote_id, remote_url;
  Failure failure;  ///< for all but kOk
};

/// What a look at the platform says of an open attempt.
struct Seen {
  enum class Presence {
    kPresent,      ///< it is there
    kAbsent,       ///< it is not, and sending again is safe
    kUnknowable,   ///< nobody can tell, or sending again would not be safe
    kUnavailable,  ///< ask again later
  } presence = Presence::kUnavailable;
  std::string remote_id, remote_url, reason;
};

/// What a platform counts of a post.
struct Counted {
  bool gone = false;             ///< the platform has it no more
  std::optional<Json> counters;  ///< by the columns of content_metrics; nothing: it does not say yet
};

/// Counters by remote id; an id that is missing was not answered.
struct Counts {
  std::map<std::string, Counted> posts;
  std::optional<Failure> failure;  ///< of the request as a whole
};

/// New tokens of an account; empty ones stay as they are.
struct Tokens {
  std::string access_token, refresh_token;
  std::optional<double> expires_at;  ///< seconds since 1970
};

/// What adapters need besides the task.
struct Services {
  const HttpClient &http;
  std::chrono::milliseconds timeout{20000};  ///< of one request
  /// Renews the account's tokens and stores them sealed; a failure says why that is not possible.
  std::function<std::optional<Failure>(Account &)> renew;
  /// Of these remote ids the ones that other posts of the account have already.
  std::function<std::vector<std::string>(const Account &, const std::vector<std::string> &)> known;
};

/// One platform. An adapter keeps no state: all of a post is in its task.
class Adapter {
 public:
  virtual ~Adapter() = default;

  /// What would be refused anyway, before anything is sent.
  virtual std::optional<Failure> validate(const Task &task) const = 0;

  /// The dialect of nexus.entities; empty: the text is not rendered.
  virtual std::string dialect() const { return ""; }

  /// Whether the media's bytes are fetched before sending begins.
  virtual bool wants_media() const { return true; }

  /// Under which key the platform will know the post, where that is ours to choose. Stored with the attempt.
  virtual std::string remote_key(const Task &) const { return ""; }

  virtual Sent send(Task &task, const Services &services) const = 0;
  virtual Seen verify(Task &task, const Services &services) const = 0;

  /// Whether refresh() is this platform's own way, and not that of OAuth 2 with the provider's settings.
  virtual bool renews_itself() const { return false; }

  /// Asks for the counters of published posts, as many as one request of the platform takes. By default a failure: the
  /// platform has none, or tells them by itself.
  virtual Counts counters(Account &account, const std::vector<std::string> &remote_ids, const Services &services) const;

  /// Exchanges the refresh token for new tokens; called for one account at a time.
  virtual std::optional<Failure> refresh(const Account &account, const Services &services, Tokens &tokens) const = 0;
};

/// The failure of an answer that is no 2xx, or of none. By default status codes mean what HTTP says: 401 and 403 auth,
/// 429 rate_limited, 5xx and silence unknown_outcome, any other 4xx invalid.
Sent failed(const Exchange &exchange);

/// The same for a request that made no post whatever became of it: what is unknown was simply not done.
Sent failed_before(const Exchange &exchange);

/// Seconds of Retry-After, X-RateLimit-Reset (an ISO time) or RateLimit-Reset (seconds since 1970).
std::optional<double> retry_after(const Exchange &exchange, double now);

/// Seconds since 1970 of 2026-01-31T09:00:00[.fraction]Z, also with an offset; nothing for anything else.
std::optional<double> parse_time(const std::string &text);

/// The call with the account's access token. Where the platform says that it has run out (401, or 400 ExpiredToken),
/// once more with a renewed one; `refused` says why there is none.
Exchange authorized(Call call, Account &account, const Services &services, std::optional<Failure> &refused);

/// The exp claim of a JWT, in seconds since 1970.
std::optional<double> jwt_expiry(const std::string &token);

/// What may stand in a URL's query or path.
std::string percent_encoded(std::string_view text);

/// An answer's JSON; null where it is none, or nests deeper than 64.
Json parse_json(const std::string &text);

/// A member that is a whole number from 0 on; null where there is none.
Json count_of(const Json &object, const char *name);

/// A member that is a string; empty where there is none.
std::string text_of(const Json &object, const char *name);

}  // namespace nexus::publisher
