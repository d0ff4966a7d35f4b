#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>

#include "bridge/net/work_queue.hpp"

namespace nexus::bridge::net {

struct FrontOptions {
  std::size_t threads = 64, queue = 1024;
  std::size_t max_body = std::size_t{1} << 20, max_response = std::size_t{64} << 20;
  std::chrono::seconds head_timeout{10}, idle_timeout{60}, write_timeout{30};
  std::string error_proxy = "PostgREST";
};

/// A cpp-httplib server whose connections are read by our own strict parser: bounded heads and bodies, deadlines for
/// both, one Host, one length. The handler gets complete requests only.
class Front : public httplib::Server {
 public:
  using Handle = std::function<void(const httplib::Request &, httplib::Response &)>;

  Front(FrontOptions options, Handle handle);

  /// Binds and listens with a backlog that a burst does not overflow; gives the port, or -1.
  int open(const std::string &host, int port);

  /// Serves until close() and until the last answer is out.
  void serve();

  /// Takes no further connection, lets idle ones go, and answers what is in work with `Connection: close`.
  void close();

  /// Cuts connections that are still open after close().
  void abort() { aborting_ = true; }

 private:
  bool process_and_close_socket(socket_t socket) override;
  void serve_connection(socket_t socket);
  std::string answer(httplib::Request &&request, bool last);

  const FrontOptions options_;
  const Handle handle_;
  Signal release_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<bool> closing_{false}, aborting_{false}, served_{false};
};

}  // namespace nexus::bridge::net
