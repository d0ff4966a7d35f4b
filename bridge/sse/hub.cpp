#include "bridge/sse/hub.hpp"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge::sse {
namespace {

using pg::Clock;
using std::chrono::milliseconds;

constexpr auto kTick = milliseconds(10);
constexpr auto kPatience = std::chrono::seconds(1);
constexpr auto kSoon = milliseconds(10), kLater = milliseconds(250), kAfterFailure = milliseconds(1000);
constexpr std::size_t kAtOnce = 32;  // readings
constexpr std::size_t kPage = 200;   // rows of one reading
constexpr std::uint32_t kText = 25, kInt8 = 20;

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string quoted_table(const std::string &name) {
  const std::size_t dot = name.find('.');
  return dot == std::string::npos ? quote_name(name) : qualified_name(name.substr(0, dot), name.substr(dot + 1));
}

}  // namespace

Hub::Hub(boost::asio::io_context &context, pg::Executor &executor, const Settings &settings)
    : context_(context),
      executor_(executor),
      table_(quoted_table(settings.events_table)),
      worker_role_(settings.session_worker_role),
      beat_(settings.events_heartbeat),
      ticker_(context) {}

void Hub::start() {
  tick();
}

void Hub::subscribe(const std::shared_ptr<net::Exchange> &exchange, const Identity &identity,
                    std::function<void(const HttpError &)> fail) {
  const auto claims = parse_json(identity.claims);
  const auto last = whole_number(exchange->request.get_header_value("Last-Event-ID"));
  auto stream = std::make_shared<Stream>(last.value_or(0));
  stream->exchange = exchange;
  stream->fail = std::move(fail);
  stream->identity = identity;
  stream->from_now = !last;
  if (claims && claims->contains("sub") && (*claims)["sub"].is_string())
    stream->user = (*claims)["sub"].get<std::string>();
  if (claims && claims->contains("exp") && (*claims)["exp"].is_number_integer()) {
    stream->expires = (*claims)["exp"].get<std::int64_t>();
  }
  if ((stream->user.empty() && identity.session_id.empty()) || draining_) {
    stream->fail(draining_ ? unavailable("PGRST001", "The bridge is about to stop.")
                           : HttpError(401, "PGRST303", "Events need a token with a sub claim"));
    return exchange->answer();
  }
  exchange->abandoned = [self = weak_from_this(), weak = std::weak_ptr<Stream>(stream)] {
    const auto hub = self.lock();
    const auto left = weak.lock();
    if (hub && left) hub->end(left);
  };
  streams_.insert(stream);
  if (!stream->user.empty()) by_user_[stream->user].insert(stream);
  want(stream);
}

void Hub::notified(const std::string &payload) {
  const auto event = parse_json(payload);
  if (!event || !event->is_object() || !event->contains("user") || !(*event)["user"].is_string()) return;
  const auto found = by_user_.find((*event)["user"].get<std::string>());
  if (found == by_user_.end()) return;
  for (const auto &stream : found->second) want(stream);
}

void Hub::look_everywhere() {
  for (const auto &stream : streams_) want(stream);
}

void Hub::drain() {
  draining_ = true;
  for (const auto &stream : std::unordered_set<StreamPtr>(streams_)) {
    const auto exchange = stream->exchange;
    end(stream);
    exchange->close_stream();
  }
}

void Hub::end(const StreamPtr &stream) {
  if (streams_.erase(stream) == 0) return;
  const auto found = by_user_.find(stream->user);
  if (found != by_user_.end()) {
    found->second.erase(stream);
    if (found->second.empty()) by_user_.erase(found);
  }
  // The exchange and the stream know each other.
  stream->exchange->abandoned = nullptr;
  stream->fail = nullptr;
}

void Hub::want(const StreamPtr &stream) {
  stream->look_at.reset();
  if (stream->reading) {
    stream->again = true;
  } else if (!stream->queued) {
    stream->queued = true;
    waiting_.push_back(stream);
    pump();
  }
}

void Hub::pump() {
  while (reading_ < kAtOnce && !waiting_.empty()) {
    const StreamPtr stream = waiting_.front();
    waiting_.pop_front();
    stream->queued = false;
    if (streams_.count(stream) != 0) read(stream);
  }
}

void Hub::read(const StreamPtr &stream) {
  stream->reading = true;
  ++reading_;
  const auto job = std::make_shared<pg::Job>();
  job->script = script_of(*stream);
  job->done = [self = weak_from_this(), stream](const Outcome &outcome) {
    const auto hub = self.lock();
    if (!hub) return;
    stream->reading = false;
    --hub->reading_;
    if (hub->streams_.count(stream) != 0) hub->take(stream, outcome);
    hub->pump();
  };
  executor_.submit(job);
}

Script Hub::script_of(const Stream &stream) const {
  Script script;
  script.read_only = true;
  script.timeout = std::chrono::seconds(10);
  script.lane = "GET /events";
  Statement context;
  std::vector<std::string> calls;
  const auto set = [&](const char *name, const std::string &value) {
    calls.push_back(std::string("pg_catalog.set_config('") + name + "', " + context.bind(value, kText) + ", true)");
  };
  const std::string &session = stream.identity.session_id;
  set("search_path", "");
  set("statement_timeout", "10000");
  if (!session.empty()) {
    set("role", worker_role_);
    calls.push_back("pg_catalog.set_config('request.jwt.claims', nexus.session_claims(" + context.bind(session, kText) +
                    "), true)");
  }
  set("role", stream.identity.role);
  if (session.empty()) set("request.jwt.claims", stream.identity.claims);
  context.sql = "SELECT " + joined(calls, ", ");
  Statement rows;
  const std::string user = stream.user.empty()
                               ? "(pg_catalog.current_setting('request.jwt.claims')::pg_catalog.json ->> 'sub')"
                               : rows.bind(stream.user, kText);
  const std::string where = "(SELECT * FROM " + table_ + " WHERE user_id = " + user;
  const std::string limit = " LIMIT " + std::to_string(kPage) + ")";
  if (stream.from_now && !stream.open) {
    rows.sql = where + " ORDER BY id DESC" + limit;
  } else {
    rows.sql =
        where + " AND id > " + rows.bind(std::to_string(stream.frontier.settled()), kInt8) + " ORDER BY id" + limit;
  }
  rows.sql =
      "SELECT r.id::text, pg_catalog.row_to_json(r)::text, pg_catalog.pg_snapshot_xmin(s)::text,"
      " pg_catalog.pg_snapshot_xmax(s)::text, pg_catalog.current_setting('request.jwt.claims')::pg_catalog.json ->> "
      "'sub'"
      " FROM pg_catalog.pg_current_snapshot() AS s LEFT JOIN LATERAL " +
      rows.sql + " AS r ON true ORDER BY r.id";
  script.stages.push_back({{"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", {}}, Step::kBegin, false});
  script.stages.push_back({std::move(context), Step::kContext, false});
  script.stages.push_back({std::move(rows), Step::kCall, true});
  script.stages.push_back({{"COMMIT", {}}, Step::kEnd, false});
  return script;
}

void Hub::take(const StreamPtr &stream, const Outcome &outcome) {
  const auto exchange = stream->exchange;
  if (outcome.unavailable && stream->open) {
    stream->look_at = Clock::now() + kAfterFailure;
    return;
  }
  if (outcome.unavailable || outcome.error || outcome.rows.empty() || outcome.rows[0].empty()) {
    // That a session has ended is nothing to warn of.
    if (outcome.error && outcome.error->sqlstate != "PGRST") {
      spdlog::warn("events of a user cannot be read: {}", outcome.error->message);
    }
    if (outcome.error) exchange->sqlstate = outcome.error->sqlstate;
    const bool open = stream->open;
    if (!open) {
      stream->fail(outcome.unavailable ? *outcome.unavailable
                   : outcome.error     ? from_database(*outcome.error, false)
                                       : HttpError(500, "XX000", "the reading gave no answer"));
    }
    end(stream);
    return open ? exchange->close_stream() : exchange->answer();
  }
  if (stream->user.empty()) know_user(stream, outcome.rows[0][0][4].value_or(""));
  take_rows(stream, outcome.rows[0]);
  if (streams_.count(stream) != 0 && stream->again) {
    stream->again = false;
    want(stream);
  }
}

// What was told of the user before could not be heard here: it is looked for once more.
void Hub::know_user(const StreamPtr &stream, const std::string &user) {
  stream->user = user;
  by_user_[user].insert(stream);
  stream->again = true;
}

void Hub::take_rows(const StreamPtr &stream, const std::vector<Row> &rows) {
  std::vector<std::int64_t> ids;
  std::unordered_map<std::int64_t, const std::string *> bodies;
  for (const auto &row : rows) {
    if (!row[0]) continue;
    ids.push_back(whole_number(*row[0]).value_or(0));
    bodies[ids.back()] = &*row[1];
  }
  const auto number = [](const std::optional<std::string> &text) { return std::stoull(text.value_or("0")); };
  const std::uint64_t xmin = number(rows[0][2]), xmax = number(rows[0][3]);
  const auto now = Clock::now();
  std::string out;
  if (!stream->open) {
    if (stream->from_now) {
      // What was there before counts as sent; with a full page, what lies before it as settled.
      stream->frontier = Frontier(ids.size() == kPage ? ids.front() - 1 : 0);
      stream->frontier.skip(ids, xmax);
    }
    stream->open = true;
    stream->next_beat = now + beat_;
    auto &response = stream->exchange->response;
    response.status = 200;
    response.set_header("Content-Type", "text/event-stream");
    response.set_header("Cache-Control", "no-store");
    response.set_header("X-Accel-Buffering", "no");
    stream->exchange->open_stream();
    out = "retry: 1000\n\n";
  }
  const bool patient = !stream->held_since || now - *stream->held_since < kPatience;
  std::int64_t marked = 0;
  for (const auto &[id, send, settled] : stream->frontier.read(ids, xmin, xmax, patient, ids.size() < kPage)) {
    if (settled && send) {
      out += "id: " + std::to_string(id) + "\n";
      marked = 0;
    } else if (settled) {
      marked = id;
    }
    if (send) out += "event: notification\ndata: " + *bodies[id] + "\n\n";
  }
  // An id without data is remembered by the client and not shown to anybody.
  if (marked != 0) out += "id: " + std::to_string(marked) + "\n\n";
  if (!out.empty() && !stream->exchange->send(out)) return end(stream);
  if (stream->frontier.waiting()) {
    if (!stream->held_since) stream->held_since = now;
    stream->look_at = now + (patient ? kSoon : kLater);
  } else {
    stream->held_since.reset();
    if (ids.size() == kPage) stream->again = true;
  }
}

void Hub::tick() {
  const auto now = Clock::now();
  const auto seconds = now_seconds();
  std::vector<StreamPtr> due, ended;
  for (const auto &stream : streams_) {
    if (stream->look_at && now >= *stream->look_at) due.push_back(stream);
    if (!stream->open) continue;
    if (stream->expires != 0 && seconds > stream->expires) ended.push_back(stream);
    if (now < stream->next_beat) continue;
    stream->next_beat = now + beat_;
    if (!stream->exchange->send(": heartbeat\n\n")) ended.push_back(stream);
    if (!stream->identity.session_id.empty()) due.push_back(stream);
  }
  for (const auto &stream : due) want(stream);
  for (const auto &stream : ended) {
    const auto exchange = stream->exchange;
    end(stream);
    exchange->close_stream();
  }
  ticker_.expires_after(streams_.empty() ? milliseconds(250) : kTick);
  ticker_.async_wait([self = weak_from_this()](const boost::system::error_code &error) {
    const auto hub = self.lock();
    if (!error && hub) hub->tick();
  });
}

}  // namespace nexus::bridge::sse
