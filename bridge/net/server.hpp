#pragma once

#include <sys/types.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bridge/net/loop.hpp"

namespace nexus::bridge::net {

/// Listens on a port with one event loop per thread. All loops listen on the port by themselves (SO_REUSEPORT) and the
/// kernel deals out the connections.
class Server {
 public:
  using MakeService = std::function<std::unique_ptr<Service>(Loop &)>;

  Server(const SessionOptions &options, std::size_t loops, const MakeService &make_service);
  ~Server();
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  /// Serves TLS from now on; with a null pointer plain connections. Connections that are open stay as they are.
  void use_tls(const std::shared_ptr<boost::asio::ssl::context> &context);

  /// Binds and listens; gives the port. `share`: beside others that listen on it, else a port that somebody listens on
  /// is refused. Throws std::runtime_error.
  int open(const std::string &host, int port, bool share);

  /// Changes limits and deadlines for what comes from now on.
  void change(const std::function<void(SessionOptions &)> &what);

  /// Starts the threads.
  void start();

  /// Accepts nothing more, lets idle connections go, and answers what is in work with `Connection: close`.
  void drain();

  /// Waits until all connections have ended; false when it took longer.
  bool wait(std::chrono::seconds limit);

  /// Cancels what runs, cuts what is open and ends the threads.
  void stop();

  /// Connections that are open, and those accepted so far.
  std::size_t connections() const;
  std::size_t accepted() const;

 private:
  struct Runner;

  void accept(Runner &runner);
  void pause(Runner &runner);
  void tick(Runner &runner);

  std::vector<std::unique_ptr<Runner>> runners_;
};

}  // namespace nexus::bridge::net
