#include "bridge/publisher/database.hpp"

#include <utility>

namespace nexus::publisher {
namespace {

constexpr const char *kConnectTimeout = "5";

std::string first_line(const char *text) {
  std::string line = text == nullptr ? "" : text;
  return line.substr(0, line.find('\n'));
}

}  // namespace

Database::Database(std::string uri, std::string role, std::string name)
    : uri_(std::move(uri)), role_(std::move(role)), name_(std::move(name)) {}

void Database::lost(const std::string &what) {
  connection_.reset();
  throw ConnectionLost(what);
}

void Database::open() {
  if (connection_) return;
  // A peer that is gone without a word is noticed by keepalives within half a minute.
  const char *keywords[] = {"dbname",
                            "application_name",
                            "connect_timeout",
                            "keepalives_idle",
                            "keepalives_interval",
                            "keepalives_count",
                            "tcp_user_timeout",
                            nullptr};
  const char *values[] = {uri_.c_str(), name_.c_str(), kConnectTimeout, "10", "5", "3", "20000", nullptr};
  connection_.reset(PQconnectdbParams(keywords, values, 1));
  if (PQstatus(connection_.get()) != CONNECTION_OK) lost(first_line(PQerrorMessage(connection_.get())));
  run("SELECT set_config('search_path', 'pg_catalog, pg_temp', false), set_config('statement_timeout', '30s', false), "
      "set_config('idle_in_transaction_session_timeout', '120s', false)");
  if (!role_.empty()) run("SELECT set_config('role', $1, false)", {role_});
}

std::vector<Row> Database::run(const char *sql, const std::vector<Value> &values) {
  if (!connection_) throw ConnectionLost("not connected");
  std::vector<const char *> pointers;
  pointers.reserve(values.size());
  for (const Value &value : values) pointers.push_back(value ? value->c_str() : nullptr);
  const std::unique_ptr<PGresult, void (*)(PGresult *)> result(
      PQexecParams(connection_.get(), sql, static_cast<int>(pointers.size()), nullptr, pointers.data(), nullptr,
                   nullptr, 0),
      PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    const char *state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    const std::string message = first_line(PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY));
    if (PQstatus(connection_.get()) != CONNECTION_OK || state == nullptr) {
      lost(message.empty() ? first_line(PQerrorMessage(connection_.get())) : message);
    }
    throw SqlError(state, message);
  }
  std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      const int number = static_cast<int>(row);
      if (PQgetisnull(result.get(), number, column) != 0) {
        rows[row].emplace_back();
      } else {
        rows[row].emplace_back(PQgetvalue(result.get(), number, column));
      }
    }
  }
  return rows;
}

bool Database::take_notifications() {
  if (!connection_ || PQconsumeInput(connection_.get()) == 0) lost("the connection was closed");
  bool any = false;
  while (PGnotify *notification = PQnotifies(connection_.get())) {
    any = true;
    PQfreemem(notification);
  }
  return any;
}

Transaction::~Transaction() {
  if (ended_) return;
  try {
    database_.run("ROLLBACK");
  } catch (const std::exception &) {
    database_.close();  // the server rolls back what has no client
  }
}

void Transaction::commit() {
  ended_ = true;
  database_.run("COMMIT");
}

std::string array_of(const std::vector<std::string> &values) {
  std::string text = "{";
  for (const std::string &value : values) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

}  // namespace nexus::publisher
