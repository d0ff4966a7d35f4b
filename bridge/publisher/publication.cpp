#include "bridge/publisher/publication.hpp"

#include <openssl/sha.h>
#include <spdlog/spdlog.h>

#include <thread>

#include "bridge/pg/backoff.hpp"
#include "bridge/publisher/oauth.hpp"

namespace nexus::publisher {
namespace {

constexpr std::size_t kRemembered = 10000;
constexpr double kHeldFor = 60;

std::string hex_sha256(const std::string &bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size(), digest);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

bool is_uploaded(const Media &media) {
  return !media.storage_key.empty() && media.url.rfind("/media/", 0) == 0;
}

Media media_of(const Json &row) {
  Media media;
  media.type = text_of(row, "media_type");
  media.url = text_of(row, "media_url");
  media.mime_type = text_of(row, "mime_type");
  media.alt_text = text_of(row, "alt_text");
  media.sha256 = text_of(row, "sha256");
  media.storage_key = text_of(row, "storage_key");
  const Json dimensions = row.value("dimensions", Json());
  const auto size = [&](const char *name) {
    const Json value = dimensions.is_object() ? dimensions.value(name, Json()) : Json();
    return value.is_number_integer() ? value.get<int>() : 0;
  };
  media.width = size("width");
  media.height = size("height");
  return media;
}

}  // namespace

void Memory::remember(int platform_post_id, int attempt, const Sent &sent) {
  const std::lock_guard lock(mutex_);
  const Key key{platform_post_id, attempt};
  if (!known_.emplace(key, sent).second) return;
  order_.push_back(key);
  if (order_.size() > kRemembered) {
    known_.erase(order_.front());
    order_.pop_front();
  }
}

std::optional<Sent> Memory::recall(int platform_post_id, int attempt) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find({platform_post_id, attempt});
  return found == known_.end() ? std::nullopt : std::optional<Sent>(found->second);
}

void Memory::forget(int platform_post_id, int attempt) {
  const std::lock_guard lock(mutex_);
  if (known_.erase({platform_post_id, attempt}) > 0) order_.remove({platform_post_id, attempt});
}

void Publication::run(bool again) {
  try {
    if (job_.kind == "publish") {
      publish(again);
    } else if (job_.kind == "metrics_pull") {
      measure();
    } else {
      refresh_tokens();
    }
  } catch (const SqlError &error) {
    // The next owner verifies what was sent; this one has no say any more.
    if (error.sqlstate != "NX020") throw;
    spdlog::warn("job {}: {}", job_.id, error.what());
  }
}

const Adapter *Publication::adapter_of(const Account &account) const {
  const auto found = tools_.adapters.find(account.platform);
  return found == tools_.adapters.end() ? nullptr : found->second.get();
}

// Nothing, and why, when the tokens cannot be opened.
std::optional<Account> Publication::account_of(const Json &row, std::string &why) const {
  Account account;
  account.id = row.at("id").get<int>();
  account.platform = text_of(row, "platform");
  account.account_id = text_of(row, "account_id");
  account.handle = text_of(row, "handle");
  account.instance_url = text_of(row, "instance_url");
  account.token_version = row.at("token_version").get<int>();
  if (row.value("metadata", Json()).is_object()) account.metadata = row.at("metadata");
  account.provider = row.value("provider", Json());
  const auto opened = [&](const char *column) {
    const std::string sealed = text_of(row, column);
    const auto context = Sealer::token_context(account.platform, account.account_id, column);
    return sealed.empty() ? "" : tools_.sealer.open(sealed, context);
  };
  try {
    account.access_token = opened("access_token");
    account.refresh_token = opened("refresh_token");
  } catch (const SealError &error) {
    why = "the tokens of account " + std::to_string(account.id) + " cannot be opened: " + error.what();
    return std::nullopt;
  }
  return account;
}

std::optional<Task> Publication::load() {
  const auto rows = database_.run(
      "SELECT t.task, extract(epoch FROM clock_timestamp() - (t.task -> 'verify' ->> 'started_at')::timestamptz),"
      " nexus.publish_remote_key((t.task ->> 'platform_post_id')::integer)"
      " FROM (SELECT nexus.publish_task($1, $2) AS task OFFSET 0) AS t",
      job_.key());
  if (rows.empty() || !rows[0][0]) {
    complete_job(database_, job_);
    return std::nullopt;
  }
  const Json row = Json::parse(*rows[0][0]);
  Task task;
  task.platform_post_id = row.at("platform_post_id").get<int>();
  task.idempotency_key = text_of(row, "idempotency_key");
  task.due_at = text_of(row, "due_at");
  task.payload = row.at("payload");
  task.reply_to = row.at("reply_to");
  task.remote_key = rows[0][2].value_or("");
  if (row.at("verify").is_object()) {
    task.open = OpenAttempt{row["verify"].at("attempt").get<int>(), std::stod(rows[0][1].value_or("0"))};
  }
  for (const Json &media : task.payload.at("media")) task.media.push_back(media_of(media));
  Json account_row = row.at("account");
  account_row["platform"] = task.payload.at("platform");
  std::string why;
  auto account = account_of(account_row, why);
  if (!account) {
    spdlog::error("post {}: {}", task.platform_post_id, why);
    fail_job(database_, job_, "transient", why);
    return std::nullopt;
  }
  task.account = std::move(*account);
  const Adapter *adapter = adapter_of(task.account);
  if (adapter != nullptr && !adapter->dialect().empty()) {
    const auto rendered =
        database_.run("SELECT nexus.publish_rendering($1, $2)", {task.payload.dump(), adapter->dialect()});
    const Json rendering = Json::parse(rendered.at(0).at(0).value());
    task.text = text_of(rendering, "text");
    task.entities = rendering.at("entities");
  }
  if (adapter != nullptr && task.remote_key.empty()) task.remote_key = adapter->remote_key(task);
  return task;
}

Services Publication::services() {
  return {tools_.http, tools_.settings.timeout, [this](Account &account) { return renew(account); },
          [this](const Account &account, const std::vector<std::string> &ids) {
            std::vector<std::string> known;
            for (const Row &row : database_.run("SELECT unnest(nexus.published_remote_ids($1, $2))",
                                                {std::to_string(account.id), array_of(ids)})) {
              known.push_back(row[0].value_or(""));
            }
            return known;
          }};
}

// One at a time for each account: a refresh token is worth one exchange.
std::optional<Failure> Publication::renew(Account &account) {
  Transaction transaction(database_);
  const std::string id = std::to_string(account.id);
  database_.run("SELECT pg_advisory_xact_lock(hashtext('nexus.account_tokens'), $1)", {id});
  const auto rows = database_.run("SELECT nexus.account_tokens($1)", {id});
  if (!rows.at(0).at(0)) return Failure{"auth", "gone", "the account is gone", 0, std::nullopt};
  std::string why;
  const auto fresh = account_of(Json::parse(*rows[0][0]), why);
  if (!fresh) return Failure{"transient", "sealed", why, 0, std::nullopt};
  const bool newer = fresh->token_version != account.token_version && !fresh->access_token.empty();
  account = *fresh;
  if (newer) return std::nullopt;

  Tokens tokens;
  if (auto failure = refresh(account, tokens)) return failure;
  const auto sealed = [&](const std::string &token, const char *column) -> Value {
    if (token.empty()) return std::nullopt;
    return tools_.sealer.seal(token, Sealer::token_context(account.platform, account.account_id, column));
  };
  const auto stored =
      database_.run("SELECT nexus.store_tokens($1, $2, $3, $4, to_timestamp($5))",
                    {id, std::to_string(account.token_version), sealed(tokens.access_token, "access_token"),
                     sealed(tokens.refresh_token, "refresh_token"),
                     tokens.expires_at ? Value(std::to_string(*tokens.expires_at)) : std::nullopt});
  if (stored.at(0).at(0).value_or("f") != "t") return adopt(account);
  transaction.commit();
  account.access_token = tokens.access_token;
  if (!tokens.refresh_token.empty()) account.refresh_token = tokens.refresh_token;
  ++account.token_version;
  spdlog::info("account {}: new tokens", account.id);
  return std::nullopt;
}

// By the platform's own way, else by OAuth 2 where the platform has a provider.
std::optional<Failure> Publication::refresh(const Account &account, Tokens &tokens) {
  const Adapter *adapter = adapter_of(account);
  if (account.provider.is_object() && !(adapter != nullptr && adapter->renews_itself())) {
    Grant grant;
    auto failure = refresh_grant(tools_.http, oauth_provider(account.provider), account.refresh_token,
                                 tools_.settings.timeout, grant);
    tokens = std::move(grant.tokens);
    return failure;
  }
  if (adapter == nullptr)
    return Failure{"invalid", "no_adapter", "no adapter for " + account.platform, 0, std::nullopt};
  return adapter->refresh(account, services(), tokens);
}

// The account was connected again, or disconnected, while its tokens were renewed: what it has now counts.
std::optional<Failure> Publication::adopt(Account &account) {
  const auto rows = database_.run("SELECT nexus.account_tokens($1)", {std::to_string(account.id)});
  std::string why = "it is gone";
  const auto fresh = rows.at(0).at(0) ? account_of(Json::parse(*rows[0][0]), why) : std::nullopt;
  if (!fresh) return Failure{"transient", "sealed", why, 0, std::nullopt};
  account = *fresh;
  if (!account.access_token.empty()) return std::nullopt;
  return Failure{"auth", "disconnected", "the account was disconnected meanwhile", 0, std::nullopt};
}

void Publication::refresh_tokens() {
  const auto rows = database_.run("SELECT nexus.account_tokens($1)", {std::to_string(job_.ref_id)});
  if (!rows.at(0).at(0)) return complete_job(database_, job_);
  // Somebody who needed the tokens was faster than the job that was to renew them.
  const Json row = Json::parse(*rows[0][0]);
  const Json version = parse_json(job_.payload).value("token_version", Json());
  if (version.is_number() && version != row.at("token_version")) return complete_job(database_, job_);
  std::string why;
  auto account = account_of(row, why);
  std::optional<Failure> failure;
  if (account) {
    failure = renew(*account);
  } else {
    failure = Failure{"transient", "sealed", why, 0, std::nullopt};
  }
  if (!failure) return complete_job(database_, job_);
  const std::string state = fail_job(database_, job_, failure->type, failure->message, failure->retry_after);
  spdlog::warn("account {}: tokens not renewed, job {}: {}", job_.ref_id, state, failure->message);
}

void Publication::publish(bool again) {
  auto task = load();
  if (!task) return;
  const Adapter *adapter = adapter_of(task->account);
  if (task->open && !settle_open_attempt(*task, adapter, again)) return;

  std::optional<Failure> failure;
  if (adapter == nullptr) {
    failure = Failure{"invalid", "no_adapter", "no adapter for " + task->account.platform, 0, std::nullopt};
  } else {
    failure = adapter->validate(*task);
    if (!failure && adapter->wants_media()) failure = fetch_media(*task);
  }
  const auto attempt = begin(*task);
  if (!attempt) return;
  Sent sent;
  if (failure) {
    sent.failure = *failure;
  } else if (!job_.is_ours()) {
    // The attempt stays open, and whoever takes the job over verifies it.
    spdlog::warn("post {}: the lease ended before sending", task->platform_post_id);
    return;
  } else {
    try {
      sent = adapter->send(*task, services());
    } catch (const std::exception &error) {
      // Nobody knows how far it came.
      sent.outcome = Sent::Outcome::kUnknown;
      sent.failure = {"unknown_outcome", "internal", error.what(), 0, std::nullopt};
    }
  }
  report(*task, *attempt, sent);
}

bool Publication::settle_open_attempt(Task &task, const Adapter *adapter, bool again) {
  const int attempt = task.open->attempt;
  if (const auto known = tools_.memory.recall(task.platform_post_id, attempt)) {
    finish(task, attempt, "verified_present", *known);
    return false;
  }
  if (again) {
    // The answer to begin_publish's COMMIT was lost. Of this lease nothing was sent; another's attempt is refused here.
    Sent sent;
    sent.failure = {"transient", "not_sent", "the database went away before sending", 0, 0.0};
    try {
      finish(task, attempt, "not_sent", sent);
      return false;
    } catch (const SqlError &error) {
      if (error.sqlstate != "55000") throw;
    }
  }
  const double wait = static_cast<double>(tools_.settings.verify_after.count()) / 1000 - task.open->age;
  if (wait > 0) {
    snooze_job(database_, job_, wait);
    return false;
  }
  Seen seen{Seen::Presence::kUnknowable, "", "", "no adapter for " + task.account.platform};
  if (adapter != nullptr) {
    try {
      seen = adapter->verify(task, services());
    } catch (const Json::exception &error) {
      seen = {Seen::Presence::kUnavailable, "", "", error.what()};
    }
  }
  Sent sent;
  sent.remote_id = seen.remote_id;
  sent.remote_url = seen.remote_url;
  switch (seen.presence) {
    case Seen::Presence::kPresent:
      finish(task, attempt, "verified_present", sent);
      return false;
    case Seen::Presence::kAbsent:
      finish(task, attempt, "verified_absent", sent);
      return true;
    case Seen::Presence::kUnknowable:
      sent.failure = {"unknown_outcome", "unverifiable", seen.reason, 0, std::nullopt};
      finish(task, attempt, "unknown", sent);
      return false;
    case Seen::Presence::kUnavailable:
      break;
  }
  const std::string state = fail_job(database_, job_, "unknown_outcome", seen.reason);
  spdlog::warn("post {}: attempt {} not verified, job {}: {}", task.platform_post_id, attempt, state, seen.reason);
  return false;
}

std::optional<Failure> Publication::fetch_media(Task &task) const {
  std::size_t left = tools_.settings.max_media_bytes;
  for (Media &media : task.media) {
    auto failure = is_uploaded(media) ? read_stored(media, left) : download(media, left);
    if (failure) return failure;
    if (!media.sha256.empty() && hex_sha256(media.bytes) != media.sha256) {
      return Failure{"media", "changed", "the media is not what it was when it was added: its SHA-256 differs", 0,
                     std::nullopt};
    }
    left -= media.bytes.size();
  }
  return std::nullopt;
}

std::optional<Failure> Publication::download(Media &media, std::size_t max_bytes) const {
  Call call;
  call.url = media.url;
  call.timeout = tools_.settings.timeout;
  call.max_response = max_bytes;
  Exchange exchange = tools_.http.run(call);
  if (!exchange.ok()) {
    Failure failure = failed_before(exchange).failure;
    if (failure.type == "invalid" || failure.type == "auth") failure.type = "media";
    failure.message = "the media cannot be fetched: " + failure.message;
    return failure;
  }
  if (media.mime_type.empty()) media.mime_type = exchange.header("Content-Type");
  media.bytes = std::move(exchange.body);
  return std::nullopt;
}

std::optional<Failure> Publication::read_stored(Media &media, std::size_t max_bytes) const {
  const auto failure = [&media](const char *type, const std::string &why) {
    return Failure{type, "unreadable", "the uploaded file " + media.url + " cannot be read: " + why, 0, std::nullopt};
  };
  if (!tools_.read_stored) return failure("transient", "this publisher has no --media-store");
  try {
    auto bytes = tools_.read_stored(media.storage_key, max_bytes);
    if (!bytes) return failure("media", "it is not in the store");
    media.bytes = std::move(*bytes);
    return std::nullopt;
  } catch (const std::length_error &error) {
    return failure("media", error.what());
  } catch (const std::runtime_error &error) {
    return failure("transient", error.what());
  }
}

std::optional<int> Publication::begin(const Task &task) {
  try {
    Transaction transaction(database_);
    const std::string post = std::to_string(task.platform_post_id), token = std::to_string(job_.lease_token);
    const auto rows = database_.run("SELECT nexus.begin_publish($1, $2, $3)", {post, std::to_string(job_.id), token});
    const std::string attempt = rows.at(0).at(0).value();
    if (!task.remote_key.empty()) {
      database_.run("SELECT nexus.set_publish_remote_key($1, $2, $3, $4)", {post, attempt, token, task.remote_key});
    }
    transaction.commit();
    return std::stoi(attempt);
  } catch (const SqlError &error) {
    if (error.sqlstate == "55000") {
      // Held back. Where an attempt came to be open meanwhile, the next round verifies it.
      spdlog::info("post {}: {}", task.platform_post_id, error.what());
      snooze_job(database_, job_, kHeldFor);
    } else if (error.sqlstate == "NX002") {
      spdlog::info("post {}: nothing to send: {}", task.platform_post_id, error.what());
      complete_job(database_, job_);
    } else {
      throw;
    }
    return std::nullopt;
  }
}

void Publication::report(const Task &task, int attempt, const Sent &sent) {
  if (sent.outcome == Sent::Outcome::kOk) tools_.memory.remember(task.platform_post_id, attempt, sent);
  bridge::pg::Backoff backoff(std::chrono::milliseconds(2000));
  for (bool first = true;; first = false) {
    try {
      database_.open();
      if (!first) {
        // The COMMIT may have been done although its answer was lost.
        const auto rows = database_.run("SELECT nexus.publish_outcome($1, $2)",
                                        {std::to_string(task.platform_post_id), std::to_string(attempt)});
        if (rows.at(0).at(0).value_or("") != "sent") break;
      }
      switch (sent.outcome) {
        case Sent::Outcome::kOk:
          finish(task, attempt, "ok", sent);
          break;
        case Sent::Outcome::kRejected:
          finish(task, attempt, "rejected", sent);
          break;
        case Sent::Outcome::kNotSent:
          finish(task, attempt, "not_sent", sent);
          break;
        case Sent::Outcome::kUnknown: {
          const std::string state = fail_job(database_, job_, "unknown_outcome", sent.failure.message);
          spdlog::warn("post {}: attempt {} uncertain, job {}: {}", task.platform_post_id, attempt, state,
                       sent.failure.message);
          break;
        }
      }
      break;
    } catch (const ConnectionLost &error) {
      if (!job_.is_ours()) {
        spdlog::error("post {}: attempt {} could not be reported before its lease ended: {}", task.platform_post_id,
                      attempt, error.what());
        return;
      }
      std::this_thread::sleep_for(backoff.next());
    }
  }
  tools_.memory.forget(task.platform_post_id, attempt);
}

void Publication::finish(const Task &task, int attempt, const char *outcome, const Sent &sent) {
  const Failure &failure = sent.failure;
  Value error;
  if (!failure.type.empty()) {
    Json json{{"class", failure.type}, {"code", failure.code}, {"message", failure.message}};
    if (failure.http_status > 0) json["http_status"] = failure.http_status;
    if (failure.retry_after) json["retry_after"] = *failure.retry_after;
    error = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  const auto text = [](const std::string &value) { return value.empty() ? std::nullopt : Value(value); };
  const auto rows =
      database_.run("SELECT nexus.finish_publish($1, $2, $3, $4, $5, $6, $7)",
                    {std::to_string(task.platform_post_id), std::to_string(attempt), std::to_string(job_.lease_token),
                     outcome, text(sent.remote_id), text(sent.remote_url), error});
  const std::string status = rows.at(0).at(0).value_or("");
  if (failure.type.empty()) {
    spdlog::info("post {}: attempt {} {}, now {} {}", task.platform_post_id, attempt, outcome, status, sent.remote_id);
  } else {
    spdlog::warn("post {}: attempt {} {}, now {}: {} {}", task.platform_post_id, attempt, outcome, status, failure.type,
                 failure.message);
  }
}

}  // namespace nexus::publisher
