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
#include "bridge/pg/connection.hpp"
#include "bridge/pg/pool.hpp"

namespace nexus::bridge::pg {

struct KeeperOptions {
  std::string uri;
  std::vector<std::string> schemas, channels;
  std::chrono::milliseconds connect_timeout{2000}, max_backoff{1000};
};

/// Keeps the picture of the schemas: a thread with a connection of its own that listens for NOTIFY (payload empty or
/// "reload schema"), reloads, and connects again by itself when the server comes back. A failed reload keeps the old
/// picture.
class Keeper {
 public:
  /// `reachable` is called after each new connection.
  Keeper(KeeperOptions options, std::function<void()> reachable);
  ~Keeper();
  Keeper(const Keeper &) = delete;
  Keeper &operator=(const Keeper &) = delete;

  CataloguePtr current() const;

  /// Whether the connection stands and a picture is there.
  bool ready() const { return connected_ && current() != nullptr; }

  /// Asks for a reload (SIGUSR1).
  void reload();

  /// Reloads unless the picture is younger than a second, and waits for it at most two seconds.
  CataloguePtr newer(const CataloguePtr &seen);

 private:
  void run();
  void serve(Connection &connection);
  void load(Connection &connection);
  void sleep(std::chrono::milliseconds delay);
  void wake() const;

  const KeeperOptions options_;
  const std::function<void()> reachable_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  CataloguePtr current_;
  Clock::time_point loaded_at_;
  bool wanted_ = false, stop_ = false;
  std::atomic<bool> connected_{false};
  int wake_fd_;
  std::thread thread_;
};

}  // namespace nexus::bridge::pg
