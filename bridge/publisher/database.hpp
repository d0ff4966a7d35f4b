#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace nexus::publisher {

/// The server refused a statement.
struct SqlError : std::runtime_error {
  SqlError(std::string state, const std::string &message) : std::runtime_error(message), sqlstate(std::move(state)) {}
  std::string sqlstate;
};

/// The connection is gone; what was under way may or may not have been done.
struct ConnectionLost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Value = std::optional<std::string>;
using Row = std::vector<Value>;

/// One connection in the name of a role, used by one thread at a time. Each statement is a transaction, unless begin()
/// was called.
class Database {
 public:
  /// `role`: set after connecting; empty: none.
  Database(std::string uri, std::string role, std::string name);

  /// Connects if it is not connected. Throws ConnectionLost.
  void open();
  void close() { connection_.reset(); }
  bool is_open() const { return connection_ != nullptr; }
  int socket() const { return PQsocket(connection_.get()); }

  /// Runs a statement with bound parameters. Throws SqlError or ConnectionLost.
  std::vector<Row> run(const char *sql, const std::vector<Value> &values = {});

  /// Takes the notifications that have come; returns whether there were any. Throws ConnectionLost.
  bool take_notifications();

 private:
  struct Finish {
    void operator()(PGconn *connection) const { PQfinish(connection); }
  };
  [[noreturn]] void lost(const std::string &what);
  std::string uri_, role_, name_;
  std::unique_ptr<PGconn, Finish> connection_;
};

/// A transaction: rolled back unless commit() was reached.
class Transaction {
 public:
  explicit Transaction(Database &database) : database_(database) { database_.run("BEGIN"); }
  ~Transaction();
  Transaction(const Transaction &) = delete;
  Transaction &operator=(const Transaction &) = delete;
  void commit();

 private:
  Database &database_;
  bool ended_ = false;
};

/// The array literal of some values, each quoted.
std::string array_of(const std::vector<std::string> &values);

}  // namespace nexus::publisher
