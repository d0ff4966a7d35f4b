#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "bridge/config/settings.hpp"
#include "bridge/pg/executor.hpp"

namespace nexus::bridge::serve {

/// The part of a pool of `size` connections that falls to the loop with that place: pools are dealt out to the loops,
/// and the first ones get what is left over.
inline pg::ExecutorOptions pool_options(const Settings &settings, int size, std::size_t loops, std::size_t place) {
  pg::ExecutorOptions options;
  options.uri = settings.db_uri;
  options.max_waiting = settings.db_pool_max_waiting;
  options.acquisition_timeout = std::chrono::seconds(settings.db_pool_acquisition_timeout);
  options.connect_timeout = std::chrono::seconds(settings.db_connect_timeout);
  options.max_backoff = std::chrono::milliseconds(settings.db_pool_max_backoff);
  options.max_lifetime = std::chrono::seconds(settings.db_pool_max_lifetime);
  options.max_idle = std::chrono::seconds(settings.db_pool_max_idletime);
  options.prepare = settings.db_prepared_statements;
  const auto all = static_cast<std::size_t>(size);
  options.size = static_cast<int>(std::max<std::size_t>(1, all / loops + (place < all % loops ? 1 : 0)));
  return options;
}

}  // namespace nexus::bridge::serve
