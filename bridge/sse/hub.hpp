#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "bridge/http/error.hpp"
#include "bridge/http/plan.hpp"
#include "bridge/net/exchange.hpp"
#include "bridge/pg/executor.hpp"
#include "bridge/sse/frontier.hpp"

namespace nexus::bridge::sse {

/// The open event streams of one loop: `GET /events` gives a user's notifications as they are committed. What the hub
/// hears is ids only; each stream reads its rows under its own user's role, so that row security decides. The stream of
/// a token ends when the token does; that of a session when a reading finds that the session has ended, at the latest
/// with the next sign of life.
class Hub : public std::enable_shared_from_this<Hub> {
 public:
  /// The events_table of the settings has the columns id and user_id.
  Hub(boost::asio::io_context &context, pg::Executor &executor, const Settings &settings);

  void start();

  /// Opens a stream for the exchange, from behind its Last-Event-ID or, without one, from now on. `fail` fills the
  /// answer when the first reading does not succeed.
  void subscribe(const std::shared_ptr<net::Exchange> &exchange, const Identity &identity,
                 std::function<void(const HttpError &)> fail);

  /// A payload of the channel: an object whose user is the one to look for.
  void notified(const std::string &payload);

  /// Notifications may have been lost: every stream reads.
  void look_everywhere();

  /// Ends all streams; the clients come back, elsewhere, with their Last-Event-ID.
  void drain();

  std::size_t size() const { return streams_.size(); }

 private:
  struct Stream {
    explicit Stream(std::int64_t settled) : frontier(settled) {}
    std::shared_ptr<net::Exchange> exchange;
    std::function<void(const HttpError &)> fail;
    Identity identity;
    std::string user;          ///< of a session the database names it, with the first reading
    std::int64_t expires = 0;  ///< of the token, seconds since 1970; 0: never
    Frontier frontier;
    bool open = false, from_now = false, queued = false, reading = false, again = false;
    pg::Clock::time_point next_beat;
    std::optional<pg::Clock::time_point> held_since, look_at;
  };
  using StreamPtr = std::shared_ptr<Stream>;

  void want(const StreamPtr &stream);
  void pump();
  void read(const StreamPtr &stream);
  Script script_of(const Stream &stream) const;
  void take(const StreamPtr &stream, const Outcome &outcome);
  void take_rows(const StreamPtr &stream, const std::vector<Row> &rows);
  void end(const StreamPtr &stream);
  void know_user(const StreamPtr &stream, const std::string &user);
  void tick();

  boost::asio::io_context &context_;
  pg::Executor &executor_;
  const std::string table_, worker_role_;
  const std::chrono::seconds beat_;
  boost::asio::steady_timer ticker_;
  std::unordered_map<std::string, std::unordered_set<StreamPtr>> by_user_;
  std::unordered_set<StreamPtr> streams_;
  std::deque<StreamPtr> waiting_;
  std::size_t reading_ = 0;
  bool draining_ = false;
};

}  // namespace nexus::bridge::sse
