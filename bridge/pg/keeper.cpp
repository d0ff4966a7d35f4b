#include "bridge/pg/keeper.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>

#include "bridge/pg/catalogue_query.hpp"

namespace nexus::bridge::pg {
namespace {

constexpr auto kLoadTimeout = std::chrono::seconds(10);
constexpr auto kYoung = std::chrono::seconds(1);
constexpr auto kPatience = std::chrono::seconds(2);
constexpr int kProbe = 30000;  // milliseconds between signs of life on a silent connection

bool asks_for_reload(const std::string &payload) {
  return payload.empty() || payload == "reload schema";
}

}  // namespace

Keeper::Keeper(KeeperOptions options, std::function<void()> reachable)
    : options_(std::move(options)), reachable_(std::move(reachable)), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  thread_ = std::thread([this] { run(); });
}

Keeper::~Keeper() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake();
  thread_.join();
  close(wake_fd_);
}

CataloguePtr Keeper::current() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return current_;
}

void Keeper::reload() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    wanted_ = true;
  }
  wake();
}

CataloguePtr Keeper::newer(const CataloguePtr &seen) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (current_ != seen || !connected_ || Clock::now() - loaded_at_ < kYoung) return current_;
  wanted_ = true;
  wake();
  changed_.wait_for(lock, kPatience, [&] { return current_ != seen || !connected_ || stop_; });
  return current_;
}

void Keeper::run() {
  Backoff backoff(options_.max_backoff);
  while (true) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (stop_) return;
    }
    try {
      Connection connection(options_.uri, Clock::now() + options_.connect_timeout);
      for (const auto &channel : options_.channels) {
        connection.query("LISTEN " + quote_name(channel), Clock::now() + kLoadTimeout);
      }
      load(connection);
      connected_ = true;
      backoff.reset();
      reachable_();
      spdlog::info("connected to the database, schema cache loaded");
      serve(connection);
    } catch (const std::exception &error) {
      connected_ = false;
      changed_.notify_all();
      const auto delay = backoff.next();
      spdlog::warn("listener lost the database, next attempt in {} ms: {}", delay.count(), error.what());
      sleep(delay);
    }
  }
}

// Returns when the bridge stops; throws when the connection is lost.
void Keeper::serve(Connection &connection) {
  while (true) {
    std::array<pollfd, 2> watched{pollfd{connection.socket(), POLLIN, 0}, pollfd{wake_fd_, POLLIN, 0}};
    const int ready = poll(watched.data(), watched.size(), kProbe);
    if (ready == 0) connection.query("SELECT", Clock::now() + kLoadTimeout);
    if (watched[1].revents != 0) {
      eventfd_t count = 0;
      eventfd_read(wake_fd_, &count);
    }
    bool wanted = false;
    for (const auto &[channel, payload] : connection.notifications()) wanted = wanted || asks_for_reload(payload);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (stop_) return;
      wanted = wanted || wanted_;
    }
    if (!wanted) continue;
    try {
      load(connection);
    } catch (const DatabaseError &error) {
      spdlog::error("the schema cache could not be reloaded, the old one stays: {}", error.message);
      std::lock_guard<std::mutex> lock(mutex_);
      wanted_ = false;
    }
  }
}

void Keeper::load(Connection &connection) {
  CataloguePtr fresh = load_catalogue(connection, options_.schemas, Clock::now() + kLoadTimeout);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    current_ = std::move(fresh);
    loaded_at_ = Clock::now();
    wanted_ = false;
  }
  changed_.notify_all();
}

void Keeper::sleep(std::chrono::milliseconds delay) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, delay, [&] { return stop_; });
}

void Keeper::wake() const {
  eventfd_write(wake_fd_, 1);
}

}  // namespace nexus::bridge::pg
