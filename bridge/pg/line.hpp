#pragma once

#include <libpq-fe.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bridge/pg/job.hpp"
#include "bridge/pg/prepared.hpp"

namespace nexus::bridge::pg {

/// One connection in pipeline mode that never waits: scripts are sent whole, answers are read when they come.
class Line : public std::enable_shared_from_this<Line> {
 public:
  struct Events {
    std::function<void(Line &, const JobPtr &)> finished;  ///< all answers to a script are in
    /// `farewell`: the server said itself that it ends the session.
    std::function<void(Line &, const std::string &reason, bool farewell)> lost;
  };

  /// `prepare`: whether statements are prepared; `capacity`: how many at most.
  Line(boost::asio::io_context &context, std::unique_ptr<PGconn, Finish> connection, bool prepare,
       std::size_t capacity);
  ~Line();
  Line(const Line &) = delete;
  Line &operator=(const Line &) = delete;

  void start(Events events);

  /// Sends a script behind those that are under way.
  void send(const JobPtr &job);

  /// What is under way, in order; jobs of its own (a ROLLBACK) excluded.
  const std::deque<JobPtr> &jobs() const { return jobs_; }

  /// Nothing is under way.
  bool idle() const { return expected_.empty(); }

  /// Takes the scripts behind the first one back, to be run elsewhere. The server runs them here all the same, so they
  /// must be ones that only read.
  std::vector<JobPtr> take_back();

  /// Goes on behind a row that could not be taken.
  void resume();

  /// Drops all prepared statements: the server's idea of them differs from ours.
  void forget_prepared();

  /// What a cancel request needs; may be used on another thread and outlives the line.
  std::shared_ptr<PGcancel> cancel_handle() const;

  /// Closes it. No event follows.
  void close();

  bool cancelling = false;  ///< a cancel request is under way: it might hit the next script
  Clock::time_point created() const { return created_; }
  Clock::time_point last_used() const { return last_used_; }

 private:
  // What libpq will report, in order.
  struct Expected {
    enum class Kind { kPrepare, kRun, kSync } kind;
    JobPtr job;  // null: a statement of our own
    std::size_t stage = 0;
    std::string prepared;
    bool rollback = false;
  };

  void watch_read();
  void watch_write();
  void read();
  void take_results();
  bool take_result(PGresult *result);
  bool left_open(const Job &job) const;
  void take_row(const PGresult *result, Job &job);
  void flush();
  void send_statement(const Statement &statement, const JobPtr &job, std::size_t stage);
  void send_own(const char *sql);
  void sync(const JobPtr &job);
  void fail(const std::string &reason, bool farewell = false);

  boost::asio::posix::stream_descriptor descriptor_;
  std::unique_ptr<PGconn, Finish> connection_;
  const bool prepare_;
  PreparedStatements prepared_;
  Events events_;
  std::deque<Expected> expected_;
  std::deque<JobPtr> jobs_;
  Clock::time_point created_, last_used_;
  bool closed_ = false, rolling_back_ = false, writing_ = false, taking_ = false, watching_ = false, paused_ = false;
};

}  // namespace nexus::bridge::pg
