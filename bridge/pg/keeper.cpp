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
constexpr auto kDebounce = std::chrono::milliseconds(100);
constexpr int kProbe = 30000;  // milliseconds between signs of life on a silent connection

bool asks_for_reload(const std::string &payload) {
  return payload.empty() || payload == "reload schema";
}

}  // namespace

Keeper::Keeper(KeeperOptions options, Events events)
    : options_(std::move(options)), events_(std::move(events)), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  thread_ = std::thread([this] { run(); });
}

Keeper::~Keeper() {
  stop();
  close(wake_fd_);
}

void Keeper::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake();
  changed_.notify_all();
  thread_.join();
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

void Keeper::newer(std::function<void()> then) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (connected_ && Clock::now() - loaded_at_ >= kYoung) {
      waiting_.push_back(std::move(then));
      wanted_ = true;
      wake();
      return;
    }
  }
  then();
}

void Keeper::answer_waiting() {
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting.swap(waiting_);
  }
  for (const auto &then : waiting) then();
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
      if (!options_.events_channel.empty()) {
        connection.query("LISTEN " + quote_name(options_.events_channel), Clock::now() + kLoadTimeout);
      }
      load(connection);
      connected_ = true;
      backoff.reset();
      events_.reachable();
      spdlog::info("connected to the database, schema cache loaded");
      serve(connection);
    } catch (const std::exception &error) {
      connected_ = false;
      answer_waiting();
      const auto delay = backoff.next();
      spdlog::warn("listener lost the database, next attempt in {} ms: {}", delay.count(), error.what());
      sleep(delay);
    }
  }
}

// Returns when the bridge stops; throws when the connection is lost.
void Keeper::serve(Connection &connection) {
  std::optional<Clock::time_point> reload_at;
  while (true) {
    std::array<pollfd, 2> watched{pollfd{connection.socket(), POLLIN, 0}, pollfd{wake_fd_, POLLIN, 0}};
    const int patience = reload_at ? static_cast<int>(kDebounce.count()) : kProbe;
    const int ready = poll(watched.data(), watched.size(), patience);
    if (ready == 0 && !reload_at) connection.query("SELECT", Clock::now() + kLoadTimeout);
    if (watched[1].revents != 0) {
      eventfd_t count = 0;
      eventfd_read(wake_fd_, &count);
    }
    bool notified = false, wanted = false;
    for (const auto &[channel, payload] : connection.notifications()) {
      if (channel == options_.events_channel) {
        events_.notified(payload);
      } else {
        notified = notified || asks_for_reload(payload);
      }
    }
    // Changes of the schema come in crowds.
    if (notified && !reload_at) reload_at = Clock::now() + kDebounce;
    if (reload_at && Clock::now() >= *reload_at) wanted = true;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (stop_) return;
      wanted = wanted || wanted_;
    }
    if (!wanted) continue;
    reload_at.reset();
    try {
      load(connection);
    } catch (const DatabaseError &error) {
      spdlog::error("the schema cache could not be reloaded, the old one stays: {}", error.message);
      std::lock_guard<std::mutex> lock(mutex_);
      wanted_ = false;
    }
    answer_waiting();
  }
}

void Keeper::load(Connection &connection) {
  try {
    if (!options_.pre_config.empty()) connection.query(options_.pre_config, Clock::now() + kLoadTimeout);
  } catch (const DatabaseError &error) {
    spdlog::warn("db-pre-config failed: {}", error.message);  // the schemas can be served all the same
  }
  CataloguePtr fresh = load_catalogue(connection, options_.schemas, Clock::now() + kLoadTimeout);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    current_ = std::move(fresh);
    loaded_at_ = Clock::now();
    wanted_ = false;
  }
}

void Keeper::sleep(std::chrono::milliseconds delay) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, delay, [&] { return stop_; });
}

void Keeper::wake() const {
  eventfd_write(wake_fd_, 1);
}

}  // namespace nexus::bridge::pg
