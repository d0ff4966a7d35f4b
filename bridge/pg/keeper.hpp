#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bridge/http/catalogue.hpp"
#include "bridge/pg/backoff.hpp"
#include "bridge/pg/connection.hpp"

namespace nexus::bridge::pg {

struct KeeperOptions {
  std::string uri;
  std::vector<std::string> schemas, channels;
  std::string events_channel;  ///< its notifications are handed on; empty: none
  std::string pre_config;      ///< SQL that is run before each load; empty: none
  std::chrono::milliseconds connect_timeout{2000}, max_backoff{1000};
};

/// Keeps the picture of the schemas: a thread with a connection of its own that listens for NOTIFY (payload empty or
/// "reload schema"), reloads, and connects again by itself when the server comes back. A failed reload keeps the old
/// picture.
class Keeper {
 public:
  /// What the keeper tells, on its own thread.
  struct Events {
    std::function<void()> reachable;                    ///< after each new connection: notifications may have been lost
    std::function<void(const std::string &)> notified;  ///< a payload of the events channel
  };

  Keeper(KeeperOptions options, Events events);
  ~Keeper();
  Keeper(const Keeper &) = delete;
  Keeper &operator=(const Keeper &) = delete;

  /// Ends its thread.
  void stop();

  CataloguePtr current() const;

  /// Whether the connection stands and a picture is there.
  bool ready() const { return connected_ && current() != nullptr; }

  /// Asks for a reload (SIGUSR1).
  void reload();

  /// Reloads unless the picture is younger than a second; calls `then` when that is done or has failed.
  void newer(std::function<void()> then);

 private:
  void run();
  void serve(Connection &connection);
  void load(Connection &connection);
  void sleep(std::chrono::milliseconds delay);
  void wake() const;
  void answer_waiting();

  const KeeperOptions options_;
  const Events events_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  CataloguePtr current_;
  Clock::time_point loaded_at_;
  std::vector<std::function<void()>> waiting_;
  bool wanted_ = false, stop_ = false;
  std::atomic<bool> connected_{false};
  int wake_fd_;
  std::thread thread_;
};

}  // namespace nexus::bridge::pg
