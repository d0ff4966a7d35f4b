#include "bridge/pg/connection.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace nexus::bridge::pg {
namespace {

std::string field(const PGresult *result, int code) {
  const char *text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

std::optional<std::string> optional_field(const PGresult *result, int code) {
  const char *text = PQresultErrorField(result, code);
  if (text == nullptr) return std::nullopt;
  return std::string(text);
}

bool is_error(const PGresult *result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR;
}

}  // namespace

bool ends_session(const std::string &sqlstate) {
  return sqlstate == "57P01" || sqlstate == "57P02" || sqlstate == "57P03" || sqlstate.compare(0, 2, "08") == 0;
}

std::vector<Row> rows_of(const PGresult *result) {
  std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result)));
  const int fields = PQnfields(result);
  for (int r = 0; r < PQntuples(result); ++r) {
    rows[static_cast<std::size_t>(r)].reserve(static_cast<std::size_t>(fields));
    for (int c = 0; c < fields; ++c) {
      if (PQgetisnull(result, r, c) != 0) {
        rows[static_cast<std::size_t>(r)].emplace_back(std::nullopt);
      } else {
        rows[static_cast<std::size_t>(r)].emplace_back(
            std::string(PQgetvalue(result, r, c), static_cast<std::size_t>(PQgetlength(result, r, c))));
      }
    }
  }
  return rows;
}

DatabaseError error_of(const PGresult *result, Step step) {
  DatabaseError error;
  error.sqlstate = field(result, PG_DIAG_SQLSTATE);
  error.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  error.detail = optional_field(result, PG_DIAG_MESSAGE_DETAIL);
  error.hint = optional_field(result, PG_DIAG_MESSAGE_HINT);
  error.step = step;
  return error;
}

Connection::Connection(const std::string &uri, Clock::time_point deadline) {
  // What stands before dbname is a default that the connection string may replace; what stands behind it is fixed.
  // Compiling the queries over the catalogues takes many times what they take, and most calls are short.
  // Calls that only read rely on the isolation level of the session.
  constexpr const char *kOptions = "-c timezone=UTC -c jit=off -c default_transaction_isolation=read\\ committed";
  constexpr std::array<const char *, 6> kNames{"options",         "tcp_user_timeout",          "dbname",
                                               "client_encoding", "fallback_application_name", nullptr};
  const std::array<const char *, 6> values{kOptions, "10000", uri.c_str(), "UTF8", "creatornexus-bridge", nullptr};
  connection_.reset(PQconnectStartParams(kNames.data(), values.data(), 1));
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) lost();
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED) lost();
    wait(status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
    status = PQconnectPoll(connection_.get());
  }
  PQsetnonblocking(connection_.get(), 1);
  PQsetNoticeProcessor(
      connection_.get(), [](void *, const char *) {}, nullptr);
}

std::vector<Row> Connection::query(const std::string &sql, Clock::time_point deadline) {
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) lost();
  flush(deadline);
  std::vector<Row> rows;
  std::optional<DatabaseError> error;
  while (Result result = next_result(deadline)) {
    if (is_error(result.get())) {
      error = error_of(result.get(), Step::kCall);
    } else {
      rows = rows_of(result.get());
    }
  }
  if (error) {
    if (ends_session(error->sqlstate) || error->sqlstate.empty()) throw ConnectionLost(error->message);
    throw *error;
  }
  return rows;
}

std::vector<Row> Connection::pipeline(const std::vector<Stage> &stages, Clock::time_point deadline) {
  if (PQenterPipelineMode(connection_.get()) == 0) lost();
  for (const auto &stage : stages) {
    const auto &parameters = stage.statement->parameters;
    std::vector<Oid> types;
    std::vector<const char *> values;
    std::vector<int> lengths, formats;
    for (const auto &parameter : parameters) {
      types.push_back(parameter.type);
      values.push_back(parameter.value.c_str());
      lengths.push_back(static_cast<int>(parameter.value.size()));
      formats.push_back(parameter.binary ? 1 : 0);
    }
    // Results in binary form: text and json are their own bytes then, and bytea needs no decoding.
    if (PQsendQueryParams(connection_.get(), stage.statement->sql.c_str(), static_cast<int>(parameters.size()),
                          types.data(), values.data(), lengths.data(), formats.data(), 1) == 0) {
      lost();
    }
  }
  if (PQpipelineSync(connection_.get()) == 0) lost();
  flush(deadline);

  std::vector<Row> rows;
  std::optional<DatabaseError> error;
  std::size_t stage = 0;
  while (true) {
    Result result = next_result(deadline);
    if (!result) {
      if (++stage > stages.size()) lost();
      continue;
    }
    if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) break;
    if (is_error(result.get()) && !error) {
      error = error_of(result.get(), stages[std::min(stage, stages.size() - 1)].step);
      if (error->sqlstate.empty() || ends_session(error->sqlstate)) throw ConnectionLost(error->message);
    } else if (stage + 1 == stages.size() && PQresultStatus(result.get()) == PGRES_TUPLES_OK) {
      rows = rows_of(result.get());
    }
  }
  if (PQexitPipelineMode(connection_.get()) == 0) lost();
  if (error) throw *error;
  return rows;
}

std::vector<std::pair<std::string, std::string>> Connection::notifications() {
  if (PQconsumeInput(connection_.get()) == 0) lost();
  std::vector<std::pair<std::string, std::string>> all;
  while (PGnotify *notification = PQnotifies(connection_.get())) {
    all.emplace_back(notification->relname, notification->extra);
    PQfreemem(notification);
  }
  return all;
}

Connection::Result Connection::next_result(Clock::time_point deadline) {
  while (PQisBusy(connection_.get()) != 0) {
    wait(POLLIN, deadline);
    if (PQconsumeInput(connection_.get()) == 0) lost();
  }
  Result result(PQgetResult(connection_.get()));
  if (!result && PQstatus(connection_.get()) != CONNECTION_OK) lost();
  return result;
}

void Connection::flush(Clock::time_point deadline) {
  while (true) {
    const int left = PQflush(connection_.get());
    if (left == 0) return;
    if (left < 0) lost();
    // Read as well: a server that cannot write its answers stops reading our statements.
    wait(POLLIN | POLLOUT, deadline);
    if (PQconsumeInput(connection_.get()) == 0) lost();
  }
}

void Connection::wait(short events, Clock::time_point deadline) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) throw NoAnswer("the server did not answer in time");
    pollfd watched{socket(), events, 0};
    const int ready = poll(&watched, 1, static_cast<int>(std::min<long long>(left, 60000)));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw ConnectionLost("poll failed");
  }
}

void Connection::lost() const {
  std::string message = connection_ ? PQerrorMessage(connection_.get()) : "out of memory";
  while (!message.empty() && message.back() == '\n') message.pop_back();
  throw ConnectionLost(message.empty() ? "connection lost" : message);
}

}  // namespace nexus::bridge::pg
