#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/pg/backoff.hpp"
#include "bridge/pg/job.hpp"
#include "bridge/pg/lanes.hpp"
#include "bridge/pg/line.hpp"

namespace nexus::bridge::pg {

struct ExecutorOptions {
  std::string uri;
  int size = 8;
  int max_waiting = 1000;
  std::chrono::milliseconds acquisition_timeout{10000}, connect_timeout{2000}, max_backoff{1000};
  std::chrono::seconds max_lifetime{1800}, max_idle{30};
  bool prepare = true;
  std::size_t max_prepared = 256;
  bool replica = false;  ///< what it cannot do the primary will: conflicts are no reason to try again here
};

/// Threads for what libpq cannot do without waiting.
struct Workers {
  boost::asio::thread_pool connecting{2}, cancelling{2};
  std::atomic<int> cancels{0};  ///< under way
};

/// What an executor did, for the metrics.
struct ExecutorCounters {
  std::atomic<std::uint64_t> scripts{0}, retries{0}, connections_made{0}, connections_failed{0}, cancelled{0},
      timed_out{0}, rejected{0};
  std::atomic<std::int64_t> open{0}, busy{0}, waiting{0};
};

/// Runs scripts on a bounded set of connections of one event loop. When the server is away, scripts fail at once until
/// it is back. Used on its loop's thread; connecting and cancelling are done by `workers`.
class Executor : public std::enable_shared_from_this<Executor> {
 public:
  Executor(boost::asio::io_context &context, Workers &workers, ExecutorOptions options, ExecutorCounters &counters);
  ~Executor();
  Executor(const Executor &) = delete;
  Executor &operator=(const Executor &) = delete;

  void start();

  /// Runs a script; job->done is called once, later, unless the job is abandoned.
  void submit(const JobPtr &job);

  /// Nobody waits for the answer any more: the query is cancelled.
  void abandon(const JobPtr &job);

  /// The rows of a job can be taken again.
  void resume(const JobPtr &job);

  /// Asks the server to stop all that runs, and closes all connections.
  void stop();

  /// The server can be reached again, says somebody who has just done so.
  void reachable();

  /// The server stands still, says somebody: whoever waits for it is refused.
  void give_up();

  boost::asio::io_context &context() { return context_; }

 private:
  void next();
  JobPtr take_waiting();
  bool may_run(Job &job);
  void ended(Job &job);
  std::shared_ptr<Line> free_line() const;
  std::shared_ptr<Line> line_to_queue_on() const;
  void run(const std::shared_ptr<Line> &line, const JobPtr &job);
  void connect();
  void connected(std::unique_ptr<PGconn, Finish> connection);
  void not_connected(const std::string &reason);
  void finished(Line &line, const JobPtr &job);
  bool wants_another_try(Line &line, const JobPtr &job);
  enum class Loss { kBroken, kFarewell, kSilent };
  void lost(Line &line, const std::string &reason, Loss loss);
  void cancel(Line &line);
  void complete(const JobPtr &job);
  void refuse(const JobPtr &job, HttpError error);
  void again(const JobPtr &job);
  void tick();
  void drop(Line &line);
  void count();
  int slow_limit() const;
  int queue_limit(const Job &job) const;

  boost::asio::io_context &context_;
  Workers &workers_;
  const ExecutorOptions options_;
  ExecutorCounters &counters_;
  boost::asio::steady_timer ticker_;
  std::vector<std::shared_ptr<Line>> lines_;
  std::deque<JobPtr> waiting_;
  Lanes lanes_;
  Backoff backoff_;
  std::optional<Clock::time_point> retry_at_;  // set while the server is away
  int connecting_ = 0, slow_running_ = 0, trials_ = 0;
  bool stopped_ = false;
};

}  // namespace nexus::bridge::pg
