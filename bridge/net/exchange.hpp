#pragma once

#include <httplib.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "bridge/net/trace.hpp"

namespace nexus::bridge::net {

class Session;

/// A request that came in whole, and the way back for its answer. Used on its loop's thread.
class Exchange {
 public:
  Exchange(std::shared_ptr<Session> session, httplib::Request &&request);

  /// Sends `response`. Nothing happens when the client has left.
  void answer();

  /// Sends a whole HTTP answer that cpp-httplib wrote.
  void answer_with(std::string bytes);

  /// Sends the head of `response` and keeps the connection open for send(); the end of the stream is its close.
  void open_stream();

  /// More bytes of an open stream; false when the client has left, or has been cut off because it does not read.
  bool send(std::string_view bytes);

  /// Ends an open stream.
  void close_stream();

  httplib::Request request;
  httplib::Response response;
  Trace trace;
  std::string sqlstate;  ///< of the error that the database raised, for the log

  /// Called once when the client leaves before the answer, or leaves the stream.
  std::function<void()> abandoned;

 private:
  void add_request_id();

  std::shared_ptr<Session> session_;
};

/// Keeps exchanges on their loop while other threads work for them: those know a number only, so that no exchange ever
/// ends on a thread that is not its own.
class Parking {
 public:
  std::uint64_t park(std::shared_ptr<Exchange> exchange) {
    parked_.emplace(++last_, std::move(exchange));
    return last_;
  }
  std::shared_ptr<Exchange> take(std::uint64_t number) {
    const auto found = parked_.extract(number);
    return found.empty() ? nullptr : std::move(found.mapped());
  }

 private:
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Exchange>> parked_;
};

}  // namespace nexus::bridge::net
