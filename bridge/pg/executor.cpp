#include "bridge/pg/executor.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>

namespace nexus::bridge::pg {
namespace {

using std::chrono::duration_cast;

constexpr auto kTick = std::chrono::milliseconds(50);
// What a server may take beyond the statement timeout before the connection counts as lost.
constexpr auto kGrace = std::chrono::seconds(5);
constexpr int kRetries = 2;
constexpr std::size_t kDepth = 4;
constexpr auto kYoung = std::chrono::milliseconds(5);

HttpError no_database() {
  return unavailable("PGRST000", "Database connection error. Retrying the connection.");
}

bool is_lost_plan(const DatabaseError &error) {
  return error.sqlstate == "26000" ||
         (error.sqlstate == "0A000" && error.message == "cached plan must not change result type");
}

}  // namespace

Executor::Executor(boost::asio::io_context &context, Workers &workers, ExecutorOptions options,
                   ExecutorCounters &counters)
    : context_(context),
      workers_(workers),
      options_(std::move(options)),
      counters_(counters),
      ticker_(context),
      backoff_(options_.max_backoff) {}

Executor::~Executor() {
  try {
    stop();
  } catch (...) {  // of a destructor nobody could take it
  }
}

void Executor::start() {
  tick();
}

// Calls that are slow, or of which nothing is known, leave a quarter of the connections to the others.
int Executor::slow_limit() const {
  return std::max(1, options_.size - std::max(1, options_.size / 4));
}

// Nor may they fill the queue, lest the others be refused at its end.
int Executor::queue_limit(const Job &job) const {
  const bool fast = !job.script.streamed && lanes_.pace(job.script.lane) == Lanes::Pace::kFast;
  return fast ? options_.max_waiting : options_.max_waiting - options_.max_waiting / 4;
}

void Executor::submit(const JobPtr &job) {
  job->submitted = Clock::now();
  ++counters_.scripts;
  if (retry_at_) return refuse(job, no_database());
  if (static_cast<int>(waiting_.size()) >= queue_limit(*job)) {
    ++counters_.rejected;
    return refuse(job, unavailable("PGRST003", "Too many requests wait for a connection."));
  }
  waiting_.push_back(job);
  next();
}

// Calls that are slow keep to their part of the connections. Those of which nothing is known count as slow, but one of
// them at a time may go beyond, lest they wait for slow ones without need.
bool Executor::may_run(Job &job) {
  // How long a stream takes is its reader's affair.
  const Lanes::Pace pace = job.script.streamed ? Lanes::Pace::kSlow : lanes_.pace(job.script.lane);
  job.slow = pace != Lanes::Pace::kFast;
  job.trial = pace == Lanes::Pace::kUnknown && slow_running_ >= slow_limit();
  return !job.slow || slow_running_ < slow_limit() ||
         (job.trial && trials_ == 0 && slow_running_ + 1 < options_.size);  // one connection is left for fast ones
}

void Executor::ended(Job &job) {
  if (job.slow) --slow_running_;
  if (job.trial) --trials_;
  job.slow = job.trial = false;
}

// The oldest that may run. Abandoned ones are thrown away on the way.
JobPtr Executor::take_waiting() {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    JobPtr job = *it;
    if (!job->abandoned && !may_run(*job)) {
      ++it;
      continue;
    }
    it = waiting_.erase(it);
    if (!job->abandoned) return job;
  }
  return nullptr;
}

std::shared_ptr<Line> Executor::free_line() const {
  // The line used last is the warmest.
  std::shared_ptr<Line> best;
  for (const auto &line : lines_) {
    if (line->idle() && !line->cancelling && (!best || line->last_used() > best->last_used())) best = line;
  }
  return best;
}

// A line on which fast scripts that only read may stand behind others: the server goes from one to the next without
// waiting for us. Should the first one turn out to be slow, tick() takes the others back.
std::shared_ptr<Line> Executor::line_to_queue_on() const {
  std::shared_ptr<Line> best;
  for (const auto &line : lines_) {
    const auto &jobs = line->jobs();
    if (jobs.empty() || jobs.size() >= kDepth || line->cancelling || jobs.front()->slow) continue;
    if (!best || jobs.size() < best->jobs().size()) best = line;
  }
  return best && Clock::now() - best->jobs().front()->begun < kYoung ? best : nullptr;
}

void Executor::next() {
  while (!waiting_.empty()) {
    const auto line = free_line();
    if (!line) break;
    const JobPtr job = take_waiting();
    if (!job) break;
    run(line, job);
  }
  while (static_cast<int>(lines_.size()) == options_.size && !waiting_.empty()) {
    const JobPtr job = waiting_.front();
    if (!job->script.read_only || job->script.streamed || lanes_.pace(job->script.lane) != Lanes::Pace::kFast) break;
    const auto line = line_to_queue_on();
    if (!line) break;
    waiting_.pop_front();
    job->slow = job->trial = false;
    if (!job->abandoned) run(line, job);
  }
  const int open = static_cast<int>(lines_.size()) + connecting_;
  if (!waiting_.empty() && !retry_at_ && open < options_.size && !free_line() &&
      connecting_ < static_cast<int>(waiting_.size()) &&
      std::any_of(waiting_.begin(), waiting_.end(), [&](const JobPtr &job) { return may_run(*job); })) {
    connect();
  }
  count();
}

void Executor::run(const std::shared_ptr<Line> &line, const JobPtr &job) {
  if (job->slow) ++slow_running_;
  if (job->trial) ++trials_;
  line->send(job);
}

void Executor::count() {
  counters_.waiting = static_cast<std::int64_t>(waiting_.size());
}

void Executor::connect() {
  ++connecting_;
  boost::asio::post(workers_.connecting, [self = weak_from_this(), &context = context_, uri = options_.uri,
                                          deadline = Clock::now() + options_.connect_timeout] {
    std::shared_ptr<Connection> connection;
    std::string reason;
    try {
      connection = std::make_shared<Connection>(uri, deadline);
    } catch (const std::exception &error) {
      reason = error.what();
    }
    boost::asio::post(context, [self, connection, reason] {
      const auto executor = self.lock();
      if (!executor) return;
      if (connection) {
        executor->connected(connection->release());
      } else {
        executor->not_connected(reason);
      }
    });
  });
}

void Executor::connected(std::unique_ptr<PGconn, Finish> connection) {
  if (stopped_) return;
  --connecting_;
  ++counters_.connections_made;
  ++counters_.open;
  retry_at_.reset();
  backoff_.reset();
  auto line = std::make_shared<Line>(context_, std::move(connection), options_.prepare, options_.max_prepared);
  lines_.push_back(line);
  line->start({[this](Line &from, const JobPtr &job) { finished(from, job); },
               [this](Line &from, const std::string &reason, bool farewell) {
                 lost(from, reason, farewell ? Loss::kFarewell : Loss::kBroken);
               }});
  next();
}

void Executor::not_connected(const std::string &reason) {
  --connecting_;
  ++counters_.connections_failed;
  const auto delay = backoff_.next();
  spdlog::warn("no connection to the database, next attempt in {} ms: {}", delay.count(), reason);
  if (!lines_.empty()) return;  // those that are open will serve
  retry_at_ = Clock::now() + delay;
  for (const auto &job : std::exchange(waiting_, {})) refuse(job, no_database());
}

void Executor::finished(Line &line, const JobPtr &job) {
  ended(*job);
  if (job->outcome.error && wants_another_try(line, job)) {
    again(job);
  } else {
    if (!job->script.streamed)
      lanes_.took(job->script.lane, duration_cast<Lanes::Time>(Clock::now() - job->begun), job->cold);
    complete(job);
  }
  if (Clock::now() - line.created() > options_.max_lifetime && line.jobs().empty()) drop(line);
  next();
}

// Whether a script that failed is worth running once more. Its transaction is undone, so nothing is done twice.
bool Executor::wants_another_try(Line &line, const JobPtr &job) {
  const DatabaseError &error = *job->outcome.error;
  if (job->abandoned || job->flowing || job->tries >= kRetries) return false;
  // The script before it failed, and its end had not come yet when this one began.
  const bool first = error.step == Step::kBegin || (error.step == Step::kContext && job->script.implicit_transaction);
  if (first && error.sqlstate == "25P02") {
    --job->tries;
    return true;
  }
  if (is_lost_plan(error)) {
    line.forget_prepared();
    return true;
  }
  // A cancel request that came too late for the script it was meant for.
  if (error.sqlstate == "57014" && job->exposed) return true;
  if (options_.replica) return false;
  return error.sqlstate == "40001" || error.sqlstate == "40P01";
}

void Executor::again(const JobPtr &job) {
  ++job->tries;
  ++counters_.retries;
  waiting_.push_front(job);
}

void Executor::lost(Line &line, const std::string &reason, Loss loss) {
  const auto jobs = line.jobs();
  if (!jobs.empty()) spdlog::warn("connection lost in a request: {}", reason);
  drop(line);
  for (auto it = jobs.rbegin(); it != jobs.rend(); ++it) {
    const JobPtr &job = *it;
    ended(*job);
    // A farewell before any other word: it had not begun. Else the outcome is unknown.
    const bool harmless = (job->script.read_only && !job->flowing) || (!job->answered && loss == Loss::kFarewell);
    if (loss != Loss::kSilent && !job->abandoned && harmless && job->tries < kRetries) {
      again(job);
    } else {
      refuse(job, unavailable("PGRST001", "Database client error. Retrying the connection."));
    }
  }
  next();
}

void Executor::drop(Line &line) {
  const auto found = std::find_if(lines_.begin(), lines_.end(), [&](const auto &own) { return own.get() == &line; });
  if (found == lines_.end()) return;
  const auto kept = *found;
  lines_.erase(found);
  --counters_.open;
  kept->close();
}

void Executor::complete(const JobPtr &job) {
  if (job->abandoned || !job->done) return;
  const auto done = std::exchange(job->done, nullptr);
  done(std::move(job->outcome));
}

void Executor::refuse(const JobPtr &job, HttpError error) {
  job->outcome = {};
  job->outcome.unavailable = std::move(error);
  complete(job);
}

void Executor::abandon(const JobPtr &job) {
  job->abandoned = true;
  job->done = nullptr;
  ++counters_.cancelled;
  for (const auto &line : lines_) {
    if (line->jobs().empty() || line->jobs().front() != job) continue;
    const auto kept = line;
    cancel(*kept);
    return kept->resume();  // what still comes is thrown away
  }
}

void Executor::resume(const JobPtr &job) {
  for (const auto &line : lines_) {
    if (line->jobs().empty() || line->jobs().front() != job) continue;
    const auto kept = line;
    return kept->resume();
  }
}

void Executor::cancel(Line &line) {
  if (line.cancelling) return;
  line.cancelling = true;
  // Nothing is sent on it until the request is through; what was sent already may hear of it long after.
  for (std::size_t i = 1; i < line.jobs().size(); ++i) line.jobs()[i]->exposed = true;
  ++workers_.cancels;
  boost::asio::post(workers_.cancelling, [self = weak_from_this(), &workers = workers_, &context = context_,
                                          handle = line.cancel_handle(), line = line.weak_from_this()] {
    std::array<char, 256> message{};
    if (handle) PQcancel(handle.get(), message.data(), static_cast<int>(message.size()));
    boost::asio::post(context, [self, line] {
      if (const auto cancelled = line.lock()) cancelled->cancelling = false;
      if (const auto executor = self.lock()) executor->next();
    });
    --workers.cancels;
  });
}

void Executor::stop() {
  stopped_ = true;
  ticker_.cancel();
  waiting_.clear();
  for (const auto &line : std::exchange(lines_, {})) {
    if (!line->jobs().empty()) cancel(*line);
    line->close();
  }
}

void Executor::reachable() {
  retry_at_.reset();
  backoff_.reset();
  next();
}

void Executor::give_up() {
  for (const auto &line : std::vector<std::shared_ptr<Line>>(lines_)) {
    lost(*line, "the server does not answer", Loss::kSilent);
  }
  for (const auto &job : std::exchange(waiting_, {})) refuse(job, no_database());
}

void Executor::tick() {
  const auto now = Clock::now();
  std::int64_t busy = 0;
  for (const auto &line : std::vector<std::shared_ptr<Line>>(lines_)) {
    if (line->jobs().empty()) {
      if (line->idle() &&
          (now - line->created() > options_.max_lifetime || now - line->last_used() > options_.max_idle)) {
        drop(*line);
      }
      continue;
    }
    ++busy;
    const JobPtr job = line->jobs().front();
    const auto runs = now - job->begun;
    if (runs > kTick) {
      if (!job->script.streamed) lanes_.took(job->script.lane, duration_cast<Lanes::Time>(runs), job->cold);
      if (!job->slow) {
        job->slow = true;
        ++slow_running_;
      }
      const auto behind = line->take_back();
      waiting_.insert(waiting_.begin(), behind.begin(), behind.end());
    }
    if (runs > job->script.timeout + kGrace) {
      ++counters_.timed_out;
      cancel(*line);
      lost(*line, "the server did not answer in time", Loss::kSilent);
    }
  }
  counters_.busy = busy;
  while (!waiting_.empty() && now - waiting_.front()->submitted > options_.acquisition_timeout) {
    const JobPtr job = waiting_.front();
    waiting_.pop_front();
    if (!job->abandoned) ++counters_.timed_out;
    refuse(job, HttpError(504, "PGRST003", "Timed out acquiring connection from connection pool.")
                    .with_header("Retry-After", "1"));
  }
  if (retry_at_ && now >= *retry_at_ && connecting_ == 0) {
    retry_at_ = now + options_.connect_timeout + options_.max_backoff;
    connect();
  }
  next();
  ticker_.expires_after(kTick);
  ticker_.async_wait([self = shared_from_this()](const boost::system::error_code &error) {
    if (!error && !self->stopped_) self->tick();
  });
}

}  // namespace nexus::bridge::pg
