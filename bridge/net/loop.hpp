#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

namespace boost::asio::ssl {
class context;
}
namespace httplib {
struct Request;
}

namespace nexus::bridge::net {

class Exchange;
class Session;

using Clock = std::chrono::steady_clock;

/// What answers requests; one for each loop, called on the loop's thread alone.
class Service {
 public:
  virtual ~Service() = default;

  /// Answers now or later: exchange->answer() once, on this thread.
  virtual void serve(const std::shared_ptr<Exchange> &exchange) = 0;

  /// Whether the body of such a request, of which method and path are known, is to be handed over in parts: then it is
  /// served when its head is in, and Exchange::read_body() asks for the rest.
  virtual bool takes_parts(const httplib::Request &head) {
    (void)head;
    return false;
  }

  /// Ends what still runs: the time for an orderly end is over.
  virtual void cancel_all() {}

  /// Lets go of what would keep the loop from ending: open streams.
  virtual void drain() {}
};

/// Limits and deadlines of a server's connections.
struct SessionOptions {
  std::size_t max_body = std::size_t{1} << 20, max_stream = std::size_t{256} << 10;
  std::size_t max_connections = 60000;
  std::chrono::seconds head_timeout{10}, idle_timeout{60}, write_timeout{30};
  std::string error_proxy = "PostgREST";
  bool log_requests = true;
};

/// What the connections of one thread share. Nothing here is locked: all of it belongs to the loop's thread.
struct Loop {
  explicit Loop(SessionOptions options) : options(std::move(options)) {}

  SessionOptions options;
  std::unordered_set<Session *> sessions;  // outlives the context, whose end ends the last sessions
  boost::asio::io_context context{1};
  std::unique_ptr<Service> service;
  std::shared_ptr<boost::asio::ssl::context> tls;     ///< null: plain
  std::array<char, std::size_t{64} << 10> scratch{};  ///< bytes just received
  bool closing = false;
};

}  // namespace nexus::bridge::net
