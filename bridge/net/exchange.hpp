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

  /// Cuts an open stream off.
  void close_stream();

  /// Sends the head of `response` and keeps the answer open for send_part(), whose end the client can tell from a cut.
  void open_parts();

  /// More of an answer that is open. False when the client does not keep up: `drained` is called when it has.
  bool send_part(std::string_view bytes);

  /// The same, for an answer whose header Content-Length says how long it is.
  void open_sized();

  /// The answer is whole; the connection goes on with the next request.
  void end_parts();

  /// Of a request whose service takes bodies in parts: from now on they come to `on_body`.
  void read_body();

  httplib::Request request;
  httplib::Response response;
  Trace trace;
  std::string sqlstate;  ///< of the error that the database raised, for the log

  /// Called once when the client leaves before the answer, or leaves the stream. Whoever sets it late, when the client
  /// has left already, hears so from read_body() or open_sized().
  std::function<void()> abandoned;

  /// Takes the next bytes of the body, with `last` the final ones. False when no more can be taken for now: then
  /// read_body() goes on. A body that ends early does not come to its last bytes, but to `abandoned`.
  std::function<bool(std::string_view bytes, bool last)> on_body;

  /// Called once after a send_part() that gave false, when more can be sent.
  std::function<void()> drained;

 private:
  friend class Session;
  void add_request_id();
  void tell_abandoned();

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
