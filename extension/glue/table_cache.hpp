// Copies of small tables in this backend, dropped when the table changes.
#pragma once

#include <initializer_list>
#include <optional>

#include "glue/guard.hpp"

namespace nexus::pg {

/// The rows of a table, copied into the current memory context.
struct TableRows {
  TupleDesc descriptor;
  HeapTuple *tuples;
  int count;

  /// Column `number` (from 1) of row `row`; std::nullopt is NULL.
  std::optional<Datum> value(int row, int number) const {
    bool null = false;
    Datum datum = heap_getattr(tuples[row], number, descriptor, &null);
    if (null) return std::nullopt;
    return datum;
  }
};

/// Reads all rows of nexus.`table` as committed now (and by this transaction), whatever the caller may select: for the
/// extension's own small tables only.
TableRows read_own_table(const char *table);

/// The oid of nexus.`table`, InvalidOid while the extension is being created or dropped.
Oid own_table(const char *table);

/// Rebuilds what is derived from some of the extension's tables once after each change of them. The tables carry
/// nexus.invalidate_trigger.
///
///     static TableWatch watch({"login_users"});
///     watch.rebuild([] { users = read_users(); });     // runs the first time, and after each change
class TableWatch {
 public:
  explicit TableWatch(std::initializer_list<const char *> tables);

  template <class F>
  void rebuild(F &&build) {
    if (fresh_) return;
    start();
    try {
      build();
    } catch (...) {
      fresh_ = false;
      throw;
    }
  }

 private:
  void start();
  static void on_change(Datum watch, Oid relation);

  static constexpr int kMaxTables = 4;
  const char *names_[kMaxTables] = {};
  Oid oids_[kMaxTables] = {};
  int count_ = 0;
  bool registered_ = false, fresh_ = false;
};

}  // namespace nexus::pg
