#include "bridge/pg/gateway.hpp"

#include <spdlog/spdlog.h>

namespace nexus::bridge::pg {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What a server may take beyond the statement timeout before the connection counts as lost.
constexpr auto kGrace = seconds(5);

// How often a request that only reads is tried on another connection when the server ended the one it was sent on.
constexpr int kRetries = 2;

PoolOptions pool_options(const Settings &settings) {
  PoolOptions options;
  options.uri = settings.db_uri;
  options.size = settings.db_pool;
  options.max_waiting = settings.db_pool_max_waiting;
  options.acquisition_timeout = seconds(settings.db_pool_acquisition_timeout);
  options.connect_timeout = seconds(settings.db_connect_timeout);
  options.max_backoff = milliseconds(settings.db_pool_max_backoff);
  options.max_lifetime = seconds(settings.db_pool_max_lifetime);
  options.max_idle = seconds(settings.db_pool_max_idletime);
  return options;
}

KeeperOptions keeper_options(const Settings &settings) {
  KeeperOptions options;
  options.uri = settings.db_uri;
  options.schemas = settings.db_schemas;
  options.channels = settings.db_channels;
  options.connect_timeout = seconds(settings.db_connect_timeout);
  options.max_backoff = milliseconds(settings.db_pool_max_backoff);
  return options;
}

CallResult result_of(const std::vector<Row> &rows) {
  if (rows.size() != 1 || rows[0].size() < 6) throw HttpError(500, "XX000", "the call gave no answer");
  const Row &row = rows[0];
  if (row[5] == "false") throw answer_too_large();
  CallResult result;
  if (row[0]) result.total = std::stoll(*row[0]);
  result.rows = std::stoll(row[1].value());
  result.body = row[2].value_or("");
  result.headers = row[3];
  result.status = row[4];
  return result;
}

}  // namespace

Gateway::Gateway(const Settings &settings)
    : statement_timeout_(settings.db_statement_timeout),
      pool_(pool_options(settings)),
      keeper_(keeper_options(settings), [this] { pool_.reachable(); }) {}

void Gateway::run(const Plan &plan, const std::function<void(CallResult)> &accept) {
  for (int tries = 0;; ++tries) {
    try {
      return run_once(plan, accept);
    } catch (const ConnectionLost &error) {
      spdlog::warn("connection lost in a request: {}", error.what());
      const bool silent = dynamic_cast<const NoAnswer *>(&error) != nullptr;
      if (!plan.read_only || silent || tries == kRetries) {
        throw unavailable("PGRST001", "Database client error. Retrying the connection.");
      }
    }
  }
}

void Gateway::run_once(const Plan &plan, const std::function<void(CallResult)> &accept) {
  const Statement begin{plan.read_only ? "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
                                       : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
                        {}};
  const Statement pre_request{plan.pre_request, {}};
  const Statement rollback{"ROLLBACK", {}};
  const Statement commit{"COMMIT", {}};
  const Statement constraints{"SET CONSTRAINTS ALL IMMEDIATE", {}};

  std::vector<Connection::Stage> stages{{&begin, Step::kBegin}, {&plan.context, Step::kContext}};
  if (plan.timezone) stages.push_back({&*plan.timezone, Step::kTimezone});
  if (!plan.pre_request.empty()) stages.push_back({&pre_request, Step::kPreRequest});
  stages.push_back({&plan.call, Step::kCall});

  Pool::Lease connection = pool_.acquire();
  const auto deadline = [this] { return Clock::now() + statement_timeout_ + kGrace; };
  try {
    CallResult result = result_of(connection->pipeline(stages, deadline()));
    for (const auto &next : plan.more) {
      result.more.push_back(result_of(connection->pipeline({{&next.call, Step::kCall}}, deadline())));
    }
    accept(std::move(result));
    if (plan.rollback) {
      connection->pipeline({{&constraints, Step::kEnd}, {&rollback, Step::kEnd}}, deadline());
    } else {
      connection->pipeline({{&commit, Step::kEnd}}, deadline());
    }
  } catch (const ConnectionLost &) {
    throw;
  } catch (...) {
    connection->pipeline({{&rollback, Step::kEnd}}, deadline());
    throw;
  }
}

}  // namespace nexus::bridge::pg
